package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/threads/adjuster"
	"inos/internal/threads/watcher"
)

// Signal reports what the host or a capsule of this node says: one of the
// watcher's signals. It never blocks. Errors are the watcher's.
func (k *Kernel) Signal(s watcher.Signal) error { return k.watcher.Offer(s) }

// Heartbeat reports a capsule's heartbeat. It never blocks.
func (k *Kernel) Heartbeat(h capsule.Heartbeat) error {
	return k.watcher.Offer(watcher.Heartbeat{Heartbeat: h})
}

// CapsuleEnded reports that a capsule of this node is gone. It never blocks.
func (k *Kernel) CapsuleEnded(id, reason string) error {
	return k.watcher.Offer(watcher.Ended{CapsuleID: id, Reason: reason})
}

// Valve is what a stream into a capsule of this node passes through: the adjuster
// throttles it while the capsule is congested.
func (k *Kernel) Valve(capsuleID string) *adjuster.Valve { return k.adjuster.Valve(capsuleID) }

// feed lets n bytes of input pass to the instances of a capsule, through the
// valve that is furthest open: while every one is congested, it takes its time.
func (k *Kernel) feed(ctx context.Context, cid string, n int) error {
	var widest *adjuster.Valve
	best := 0.0
	for _, c := range k.cfg.Capsules.List() {
		if c.CID != cid {
			continue
		}
		v := k.adjuster.Valve(c.ID)
		if level, _ := v.Level(); level > best {
			widest, best = v, level
		}
	}
	if widest == nil {
		return nil // it is spawned for this job
	}
	err := widest.Wait(ctx, n)
	switch {
	case err == nil || ctx.Err() != nil:
		return ctx.Err()
	default: // at this rate the deadline would pass first
		return fmt.Errorf("%w: input is throttled: %w", context.DeadlineExceeded, err)
	}
}

// listener passes what the watcher and the adjuster decide on, as events and to
// each other. Its methods do not block.
type listener struct{ k *Kernel }

// Mining implements watcher.Listener.
func (l listener) Mining(m watcher.Mining) {
	if m.Run {
		l.k.emit(MiningStart{At{m.At}, m.Reason})
	} else {
		l.k.emit(MiningStop{At{m.At}, m.Reason})
	}
}

// Host implements watcher.Listener.
func (l listener) Host(h watcher.Host) {
	// The host has a place of its own in the adjuster's mailbox, which so never is
	// full for it.
	_ = l.k.adjuster.Host(adjuster.Host{BatteryLow: h.Battery < watcher.LowBattery, Visible: h.Visible})
	l.k.emit(HostChanged{At{h.At}, h})
}

// Capsule implements watcher.Listener.
func (l listener) Capsule(c watcher.Capsule) {
	// The watcher's mailbox is no larger than the adjuster's, so that what got
	// through one finds room in the other once it is read.
	if c.Ended {
		_ = l.k.adjuster.Gone(c.ID)
	} else {
		_ = l.k.adjuster.Capsule(c.ID, c.Congested)
	}
	l.k.emit(CapsuleChanged{At{c.At}, c})
}

// Throttled implements adjuster.Listener.
func (l listener) Throttled(t adjuster.Throttle) { l.k.emit(Throttled{At{t.At}, t}) }

// Fidelity implements adjuster.Listener.
func (l listener) Fidelity(f adjuster.Fidelity, now time.Time) {
	l.k.fidelity.Store(uint32(f))
	l.k.emit(FidelityChanged{At{now}, f})
}
