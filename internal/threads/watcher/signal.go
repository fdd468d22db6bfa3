package watcher

import (
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// ErrSignal says that a signal holds an impossible figure. Final for it.
var ErrSignal = fault.Internal("watcher: bad signal")

// Signal is one of Activity, Battery, Visibility, Heartbeat and Ended.
//
// When signals arrive faster than they are looked at, those of one kind become
// one, and so do all of one capsule. What matters is kept: the latest figures;
// the time of the last activity; that a capsule was congested at all; every jam
// and every end, by number.
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
	// Ended: a capsule of this node is gone.
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

// key says which signals become one. A capsule's heartbeats and ends share one, so
// that their order is kept.
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

// report is a signal on its way, with what merging must not lose.
type report struct {
	signal    Signal
	at        time.Time
	congested bool // at any time since the last look, or since the last end
	ends      uint64
	reason    string // of the last end

	// Jams are counted: the first heartbeat's flag, which only the last look can make
	// a rise of, the rises after it, and the newest.
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
