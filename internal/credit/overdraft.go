package credit

import "time"

// Overdraft decides about a capsule whose ledger runs dry: pause it, give its owner Grace to
// pay, then kill it. The zero Overdraft has a grace of 30 s. One belongs to one capsule and is
// not safe for concurrent use.
type Overdraft struct {
	Grace time.Duration // 0 means 30 s

	since  time.Time // dry since; zero: not dry
	killed bool
}

// Action is what the caller has to do and report next.
type Action uint8

// The actions. Each is returned once when it falls due.
const (
	ActionNone Action = iota
	ActionPause
	ActionResume
	ActionKill
)

func (a Action) String() string {
	return [...]string{"none", "pause", "resume", "kill"}[min(a, ActionKill)]
}

// Observe takes whether the ledger can pay for the capsule's next step, and returns the action.
// After ActionKill nothing follows.
func (o *Overdraft) Observe(dry bool, now time.Time) Action {
	grace := o.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	switch {
	case o.killed:
		return ActionNone
	case !dry && o.since.IsZero():
		return ActionNone
	case !dry:
		o.since = time.Time{}
		return ActionResume
	case o.since.IsZero():
		o.since = now
		return ActionPause
	case now.Sub(o.since) >= grace:
		o.killed = true
		return ActionKill
	}
	return ActionNone
}

// Next returns the latest time for the next Observe, false when none is due.
func (o *Overdraft) Next() (at time.Time, due bool) {
	if o.since.IsZero() || o.killed {
		return time.Time{}, false
	}
	if o.Grace == 0 {
		return o.since.Add(30 * time.Second), true
	}
	return o.since.Add(o.Grace), true
}
