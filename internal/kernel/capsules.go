package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/supervisor"
)

// Limits of one run; zero means the capsule's own.
type Limits struct {
	MemoryBytes uint64
	Time        time.Duration
}

// CapsuleInfo is one capsule of this node, running or ended.
type CapsuleInfo struct {
	ID          string
	CID         string
	Name        string // for people
	State       string
	Heartbeat   capsule.Heartbeat // the last
	Restarts    int
	MemoryBytes uint64 // now; 0 when it does not run
	MemoryLimit uint64
	Epoch       uint32 // memory epoch
	Jobs        int    // runs at work
	Unheard     uint64 // bytes it emitted while nobody listened: dropped
	StartedAt   time.Time
	LastError   error // of the last end
}

// Ended says that it is not coming back.
func (c CapsuleInfo) Ended() bool {
	return c.State == supervisor.Stopped.String() || c.State == supervisor.Failed.String()
}

// Supervised makes a supervisor the kernel's Capsules. Give the supervisor's
// events to Kernel.CapsuleEvent.
func Supervised(s *supervisor.Supervisor) Capsules { return supervised{s} }

type supervised struct{ *supervisor.Supervisor }

// Command implements Capsules: a supervisor answers every command, so there is
// no error.
func (s supervised) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
	return s.Supervisor.Command(ctx, cmd), nil
}

// Run implements Capsules.
func (s supervised) Run(ctx context.Context, cid capsule.CID, l Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	return s.Supervisor.Run(ctx, cid, supervisor.Limits(l), task, onProgress)
}

// List implements Capsules.
func (s supervised) List() []CapsuleInfo {
	have := s.Supervisor.List()
	out := make([]CapsuleInfo, len(have))
	for i, c := range have {
		out[i] = CapsuleInfo{
			ID: c.ID, CID: c.CID.String(), Name: c.Name, State: c.State.String(), Heartbeat: c.Heartbeat,
			Restarts: c.Restarts, MemoryBytes: c.MemoryBytes, MemoryLimit: c.MemoryLimit, Epoch: c.Epoch,
			Jobs: c.Jobs, Unheard: c.Unheard, StartedAt: c.StartedAt, LastError: c.LastError,
		}
	}
	return out
}

// CapsuleEvent takes an event of the supervisor in: heartbeats and ends go to the
// watcher, all but heartbeats become events of the kernel. It never blocks and
// does not call the supervisor, as supervisor.Config.Emit demands.
func (k *Kernel) CapsuleEvent(e supervisor.Event) {
	k.keep.note(e)
	switch e := e.(type) {
	case supervisor.HeartbeatReceived:
		e.Heartbeat.CapsuleID = e.ID // whatever the capsule calls itself
		_ = k.Heartbeat(e.Heartbeat) // the watcher counts what it refuses
		return
	case supervisor.CapsuleEnded:
		_ = k.CapsuleEnded(e.ID, endOf(e))
	}
	k.emit(CapsuleNews{at(), e})
}

// endOf is why a capsule ended, as what waits for it is told.
func endOf(e supervisor.CapsuleEnded) error {
	if e.Err == nil {
		return fmt.Errorf("%w: %s", capsule.ErrStopped, e.Reason)
	}
	return e.Err
}

// CapsuleNews is an event of this node's supervisor.
type CapsuleNews struct {
	At
	Event supervisor.Event
}

// Name implements Event.
func (c CapsuleNews) Name() string {
	switch c.Event.(type) {
	case supervisor.CapsuleStarted:
		return "capsule:started"
	case supervisor.CapsuleStateChanged:
		return "capsule:state"
	case supervisor.CongestionChanged:
		return "capsule:congestion"
	case supervisor.CapsuleLogged:
		return "capsule:log"
	case supervisor.MemoryResized, supervisor.MemoryRefused:
		return "capsule:memory"
	case supervisor.PauseOverdue:
		return "capsule:overdue"
	case supervisor.CapsuleEnded:
		return "capsule:ended"
	}
	return "capsule:event"
}
