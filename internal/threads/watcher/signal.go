package watcher

import (
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// ErrSignal says that a signal holds an impossible figure. Final for that signal.
var ErrSignal = fault.Internal("watcher: bad signal")

// Signal is one of Activity, Battery, Visibility, Heartbeat and Ended.
//
// When signals arrive faster than they are processed, those of one kind merge into one, and so do
// all of one capsule. A merged signal keeps the latest figures, the time of the last activity,
// whether a capsule was congested at any time, and the number of jams and of ends.
type Signal interface {
	key() key
	check() error
}

type (
	// Activity: the user did something. A zero At means now.
	Activity struct{ At time.Time }
	// Battery: Level is from 0 to 1.
	Battery struct {
		Level    float64
		Charging bool
	}
	// Visibility: whether the user can see the page.
	Visibility struct{ Visible bool }
	// Heartbeat of a capsule on this node.
	Heartbeat struct{ capsule.Heartbeat }
	// Ended: a capsule of this node has ended.
	Ended struct {
		CapsuleID string
		Reason    string
	}
)

type kind uint8

const (
	kindActivity kind = iota
	kindBattery
	kindVisibility
	kindCapsule
)

// key says which signals merge. A capsule's heartbeats and ends share a key, so that their order is
// kept.
type key struct {
	kind    kind
	capsule string
}

func (Activity) key() key    { return key{kind: kindActivity} }
func (Battery) key() key     { return key{kind: kindBattery} }
func (Visibility) key() key  { return key{kind: kindVisibility} }
func (h Heartbeat) key() key { return key{kindCapsule, h.CapsuleID} }
func (e Ended) key() key     { return key{kindCapsule, e.CapsuleID} }

func (Activity) check() error   { return nil }
func (Visibility) check() error { return nil }

func (b Battery) check() error {
	if !(b.Level >= 0 && b.Level <= 1) { // so that NaN fails
		return fmt.Errorf("%w: battery level %v", ErrSignal, b.Level)
	}
	return nil
}

func (h Heartbeat) check() error { return checkCapsule(h.CapsuleID) }
func (e Ended) check() error     { return checkCapsule(e.CapsuleID) }

func checkCapsule(id string) error {
	if id == "" || len(id) > 256 {
		return fmt.Errorf("%w: capsule id of %d bytes", ErrSignal, len(id))
	}
	return nil
}

// report is a queued signal with what merging must not lose.
type report struct {
	signal    Signal
	at        time.Time
	congested bool // at any time since the last look, or since the last end
	ends      uint64
	reason    string // of the last end

	// Jams are counted from the first heartbeat's flag, of which only the last look knows whether
	// it is a rise, the rises after it, and the newest flag.
	first, newest bool
	rises         uint64
}

func merge(old, new report) report {
	if new.ends == 0 {
		new.congested = new.congested || old.congested
		new.reason = old.reason
	}
	new.ends += old.ends
	new.rises = old.rises
	if new.newest && !old.newest {
		new.rises++
	}
	new.first = old.first
	if old.at.After(new.at) {
		new.at = old.at
	}
	return new
}
