package kernel

import (
	"time"

	"inos/internal/capsule"
	"inos/internal/threads/adjuster"
	"inos/internal/threads/watcher"
)

// Signal hands the watcher one of its signals, from the host or from a capsule of this node. It
// never blocks. Errors are the watcher's.
func (k *Kernel) Signal(s watcher.Signal) error { return k.watcher.Offer(s) }

// Heartbeat reports a capsule's heartbeat. The valve of the streams into the capsule is set before
// Heartbeat returns. It never blocks.
func (k *Kernel) Heartbeat(h capsule.Heartbeat) error {
	// The adjuster's mailbox has room for every capsule that it distinguishes.
	_ = k.adjuster.Capsule(h.CapsuleID, h.Congested)
	return k.watcher.Offer(watcher.Heartbeat{Heartbeat: h})
}

// CapsuleEnded reports that a capsule of this node is gone: streams into it end with the error why.
// It never blocks.
func (k *Kernel) CapsuleEnded(id string, why error) error {
	_ = k.adjuster.Gone(id, why)
	return k.watcher.Offer(watcher.Ended{CapsuleID: id, Reason: why.Error()})
}

// Valve is the valve that a stream into a capsule of this node passes through. The adjuster shuts
// it while the capsule is congested.
func (k *Kernel) Valve(capsuleID string) *adjuster.Valve { return k.adjuster.Valve(capsuleID) }

// listener carries out what the watcher and the adjuster decide. Mining waits for room in the
// loop's mailbox; signals wait and merge meanwhile. The other methods do not block.
type listener struct{ k *Kernel }

// Mining implements watcher.Listener.
func (l listener) Mining(m watcher.Mining) {
	// The kernel's end is the only error, and then no job runs.
	_ = l.k.loop.tell(l.k.life, func(s *state) {
		s.pauseVolunteering(!m.Run)
		if m.Run {
			l.k.emit(MiningStart{At{m.At}, m.Reason})
		} else {
			l.k.emit(MiningStop{At{m.At}, m.Reason})
		}
	})
}

// Host implements watcher.Listener.
func (l listener) Host(h watcher.Host) {
	// The adjuster's mailbox has a place for the host alone: it is never full for it.
	_ = l.k.adjuster.Host(adjuster.Host{BatteryLow: h.Battery < watcher.LowBattery, Visible: h.Visible})
	l.k.emit(HostChanged{At{h.At}, h})
}

// Capsule implements watcher.Listener.
func (l listener) Capsule(c watcher.Capsule) {
	l.k.emit(CapsuleChanged{At{c.At}, c})
}

// Throttled implements adjuster.Listener.
func (l listener) Throttled(t adjuster.Throttle) { l.k.emit(Throttled{At{t.At}, t}) }

// Fidelity implements adjuster.Listener.
func (l listener) Fidelity(f adjuster.Fidelity, now time.Time) {
	l.k.fidelity.Store(uint32(f))
	l.k.emit(FidelityChanged{At{now}, f})
}
