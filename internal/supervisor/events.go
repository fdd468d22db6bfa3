package supervisor

import (
	"time"

	"inos/internal/capsule"
)

// Event is one of the types below. Events of one capsule arrive in order.
type Event interface{ supervisorEvent() }

type (
	// CapsuleStarted: an instance runs. Restarts counts the restarts before it.
	CapsuleStarted struct {
		ID       string
		CID      capsule.CID
		Name     string
		Epoch    uint32
		Restarts int
		At       time.Time
	}
	// CapsuleStateChanged: From and To differ.
	CapsuleStateChanged struct {
		ID       string
		From, To State
		Reason   string
		At       time.Time
	}
	// HeartbeatReceived: the capsule sent a heartbeat.
	HeartbeatReceived struct {
		ID        string
		Heartbeat capsule.Heartbeat
		At        time.Time
	}
	// CongestionChanged: one of the capsule's rings is congested, or no longer is.
	CongestionChanged struct {
		ID        string
		Congested bool
		At        time.Time
	}
	// MemoryResized: a capsule asked for more memory and got it. From and To are bytes.
	MemoryResized struct {
		ID       string
		From, To uint64
		Epoch    uint32
		At       time.Time
	}
	// MemoryRefused: a capsule asked for more memory than it may have, or than there is. It lives
	// on.
	MemoryRefused struct {
		ID            string
		Wanted, Limit uint64 // bytes
		Reason        string
		At            time.Time
	}
	// CapsuleLogged: a line of the capsule's own log. Its text is untrusted.
	CapsuleLogged struct {
		ID  string
		Log capsule.Log
		At  time.Time
	}
	// PauseOverdue: a capsule did not reach a safe point within After of a Pause.
	PauseOverdue struct {
		ID     string
		After  time.Duration
		Killed bool // by Config.Overdue
		At     time.Time
	}
	// CapsuleEnded: an instance ended, or could not be started. Err is nil when inos_run returned
	// by itself; a crash's Err carries the capsule's own message. With Restart another instance
	// follows after Wait.
	CapsuleEnded struct {
		ID      string
		CID     capsule.CID
		Name    string
		Err     error
		Reason  string
		Restart bool
		Wait    time.Duration
		At      time.Time
	}
)

func (CapsuleStarted) supervisorEvent()      {}
func (CapsuleStateChanged) supervisorEvent() {}
func (HeartbeatReceived) supervisorEvent()   {}
func (CongestionChanged) supervisorEvent()   {}
func (MemoryResized) supervisorEvent()       {}
func (MemoryRefused) supervisorEvent()       {}
func (CapsuleLogged) supervisorEvent()       {}
func (PauseOverdue) supervisorEvent()        {}
func (CapsuleEnded) supervisorEvent()        {}
