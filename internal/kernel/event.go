package kernel

import (
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/threads/adjuster"
	"inos/internal/threads/watcher"
)

// Event is something that happened. The types below are all there are.
type Event interface {
	// Name is stable: "job:placed", "mining:stop", ...
	Name() string
	// When it happened.
	When() time.Time
}

// At is the time of an event.
type At struct{ Time time.Time }

// When implements Event.
func (a At) When() time.Time { return a.Time }

type (
	// NodeHeard: a node is new, or its profile has changed.
	NodeHeard struct {
		At
		Profile mesh.Profile
		New     bool
	}
	// NodeGone: a node has expired or no longer answers.
	NodeGone struct {
		At
		Node identity.PeerID
	}
	// PeerConnected and PeerDisconnected report changes of the mesh's connections.
	PeerConnected struct {
		At
		Peer identity.PeerID
	}
	PeerDisconnected struct {
		At
		Peer identity.PeerID
	}
	// Joined: this node has a peer after it had none. Parted: it has lost its last one; the mesh
	// goes on trying to get one back.
	Joined struct {
		At
		Peer identity.PeerID
	}
	Parted struct {
		At
		Peer identity.PeerID // the last one
	}
	// ClockOffset: this machine's clock has begun to differ from the peers' median by more than a
	// minute, differs by another minute, or no longer differs.
	ClockOffset struct {
		At
		Clocks Clocks
	}
	// JobRejected: governance rejected a job. From is zero for this node's own jobs.
	JobRejected struct {
		At
		JobID  string
		From   identity.PeerID
		Reason string
		Err    error
	}
	// JobAdmitted: governance admitted a job.
	JobAdmitted struct {
		At
		JobID    string
		From     identity.PeerID
		Decision governance.Decision
	}
	// JobPlacedEvent: a node was chosen.
	JobPlacedEvent struct {
		At
		JobID    string
		Node     identity.PeerID
		Score    float64
		Attempt  int
		Decision placement.Decision
	}
	// JobProgress: a job that was dispatched from here, or runs here, has reported progress.
	JobProgress struct {
		At
		JobID    string
		Progress mesh.Progress
	}
	// JobEnded: a job dispatched from here, or run here for From, has ended. Err is nil when it
	// succeeded.
	JobEnded struct {
		At
		JobID   string
		From    identity.PeerID
		Node    identity.PeerID
		Outcome mesh.JobOutcome // without the output
		Err     error
	}
	// Commanded: a lifecycle command was answered. From is zero for this node's own.
	Commanded struct {
		At
		From    identity.PeerID
		Node    identity.PeerID // where the capsule is
		Command capsule.Command // without the module
		Reply   capsule.Reply
		Err     error
	}
	// Fed: a stream into a capsule ended. From is zero for this node's own.
	Fed struct {
		At
		From      identity.PeerID
		Node      identity.PeerID // where the capsule is
		CapsuleID string
		Taken     int64 // bytes that reached it
		Err       error
	}
	// CapsuleCredit: the ledger that pays for a capsule cannot pay any longer, or can again. Action
	// is "pause", "resume" or "kill"; Err says why that action failed.
	CapsuleCredit struct {
		At
		CapsuleID string
		Ledger    identity.LedgerID
		Action    string
		Reason    string
		Err       error
	}
	// MiningStop and MiningStart: this node takes no more jobs of other nodes, because its user is
	// active or its battery low, or takes them again. Jobs in hand are finished and own jobs go on.
	// A program that works only while the machine is idle should follow them. One of them is
	// emitted at the start.
	MiningStop struct {
		At
		Reason string
	}
	MiningStart struct {
		At
		Reason string
	}
	// HostChanged: the user's activity, the battery or the visibility has changed.
	HostChanged struct {
		At
		Host watcher.Host
	}
	// CapsuleChanged: a capsule's congestion or status has changed, or it has ended.
	CapsuleChanged struct {
		At
		Capsule watcher.Capsule
	}
	// Throttled: the streams into a capsule are throttled, or no longer are.
	Throttled struct {
		At
		Throttle adjuster.Throttle
	}
	// FidelityChanged: the rate at which sensors should be read has changed.
	FidelityChanged struct {
		At
		Fidelity adjuster.Fidelity
	}
	// ServiceFailed: a part of the kernel ended unexpectedly and is started again.
	ServiceFailed struct {
		At
		Service string
		Message string
	}
	// Dropped tells a subscriber how many events it missed just before.
	Dropped struct {
		At
		Count uint64
	}
)

// Name implements Event.
func (NodeHeard) Name() string        { return "node:heard" }
func (NodeGone) Name() string         { return "node:gone" }
func (PeerConnected) Name() string    { return "peer:connected" }
func (PeerDisconnected) Name() string { return "peer:disconnected" }
func (Joined) Name() string           { return "mesh:joined" }
func (Parted) Name() string           { return "mesh:parted" }
func (ClockOffset) Name() string      { return "clock:offset" }
func (JobRejected) Name() string      { return "job:rejected" }
func (JobAdmitted) Name() string      { return "job:admitted" }
func (JobPlacedEvent) Name() string   { return "job:placed" }
func (JobProgress) Name() string      { return "job:progress" }
func (JobEnded) Name() string         { return "job:ended" }
func (Commanded) Name() string        { return "capsule:commanded" }
func (Fed) Name() string              { return "capsule:fed" }
func (CapsuleCredit) Name() string    { return "capsule:credit" }
func (MiningStop) Name() string       { return "mining:stop" }
func (MiningStart) Name() string      { return "mining:start" }
func (HostChanged) Name() string      { return "host:changed" }
func (CapsuleChanged) Name() string   { return "capsule:changed" }
func (Throttled) Name() string        { return "capsule:throttled" }
func (FidelityChanged) Name() string  { return "sensors:fidelity" }
func (ServiceFailed) Name() string    { return "kernel:restarted" }
func (Dropped) Name() string          { return "events:dropped" }

// hub hands events to subscribers. A subscriber that does not read loses events; the kernel never
// waits for it.
type hub struct {
	mu      sync.Mutex
	direct  func(Event) // Config.Emit, called in the order of events
	sinks   map[*sink]struct{}
	dropped atomic.Uint64
}

type sink struct {
	ch     chan Event
	missed uint64 // since the last Dropped that got through
}

func (h *hub) emit(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.direct(e)
	for s := range h.sinks {
		if s.missed > 0 {
			select {
			case s.ch <- Dropped{At: At{e.When()}, Count: s.missed}:
				s.missed = 0
			default:
				s.missed++
				h.dropped.Add(1)
				continue
			}
		}
		select {
		case s.ch <- e:
		default:
			s.missed++
			h.dropped.Add(1)
		}
	}
}

// Subscribe delivers events from now on until cancel, which closes the channel.
// When buffer events wait unread, further ones are dropped; a Dropped with their
// number takes their place once there is room.
func (k *Kernel) Subscribe(buffer int) (events <-chan Event, cancel func()) {
	s := &sink{ch: make(chan Event, max(buffer, 1))}
	k.hub.mu.Lock()
	defer k.hub.mu.Unlock()
	k.hub.sinks[s] = struct{}{}
	return s.ch, sync.OnceFunc(func() {
		k.hub.mu.Lock()
		defer k.hub.mu.Unlock()
		delete(k.hub.sinks, s)
		close(s.ch)
	})
}

func (k *Kernel) emit(e Event) { k.hub.emit(e) }

func at() At { return At{time.Now()} }
