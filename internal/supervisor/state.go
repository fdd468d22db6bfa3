package supervisor

import "fmt"

// State of a capsule's life. Starting includes the wait before a restart.
type State uint8

// The states. Stopped and Failed are final.
const (
	Starting State = iota
	Healthy
	Degraded
	Paused
	Zombie // silent; killed unless a heartbeat comes
	Stopped
	Failed

	states = iota
)

func (s State) String() string {
	if s < states {
		return [...]string{"starting", "healthy", "degraded", "paused", "zombie", "stopped", "failed"}[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Live reports whether the capsule holds a slot: it runs, or will run again.
func (s State) Live() bool { return s < Stopped }

// change is an event that may change a capsule's state.
type change uint8

const (
	becameReady      change = iota // its first heartbeat came
	reportedHealthy                // a heartbeat: all is well
	reportedDegraded               // a heartbeat: degraded
	reportedPaused                 // a heartbeat or a reply: paused
	missedHeartbeats               // heartbeats are missing
	fellSilent                     // they have been missing for long
	restarted                      // it ended, and will be started again
	ended                          // it ended for good, as intended
	broke                          // it ended for good, by a failure

	changes = iota
)

func (c change) String() string {
	if c < changes {
		return [...]string{"ready", "well", "unwell", "paused", "quiet", "silent", "restarted", "ended", "broke"}[c]
	}
	return fmt.Sprintf("change(%d)", uint8(c))
}

// TransitionError names a change that is impossible in a state.
type TransitionError struct{ From, Change string }

func (e *TransitionError) Error() string {
	return fmt.Sprintf("%v: %s while %s", ErrTransition, e.Change, e.From)
}

// Is reports whether target is ErrTransition.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }

// none marks an impossible change.
const none = State(255)

// table is the state that each change leads to: a row for each state, a column for each change in
// the order of the constants.
var table = [states][changes]State{
	//           ready    well     unwell    paused  quiet     silent  restarted ended    broke
	Starting: {Healthy, none, none, none, none, none, Starting, Stopped, Failed},
	Healthy:  {none, Healthy, Degraded, Paused, Degraded, Zombie, Starting, Stopped, Failed},
	Degraded: {none, Healthy, Degraded, Paused, Degraded, Zombie, Starting, Stopped, Failed},
	Paused:   {none, Healthy, Degraded, Paused, Paused, Zombie, Starting, Stopped, Failed},
	Zombie:   {none, Healthy, Degraded, Paused, none, Zombie, Starting, Stopped, Failed},
	Stopped:  {none, none, none, none, none, none, none, none, none},
	Failed:   {none, none, none, none, none, none, none, none, none},
}

// next returns the state that c leads to from s. Errors match ErrTransition.
func next(s State, c change) (State, error) {
	if s < states && c < changes {
		if to := table[s][c]; to != none {
			return to, nil
		}
	}
	return s, &TransitionError{From: s.String(), Change: c.String()}
}
