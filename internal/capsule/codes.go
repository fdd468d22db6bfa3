package capsule

import "inos/internal/fault"

// answers holds the faults of the answers to a command that give no reason.
var answers = [...]*fault.Error{
	// Refused: the node refuses the command. Advice: the message has the reason.
	Refused:        fault.Final("refused", "capsule: refused"),
	UnknownCapsule: fault.Final("unknown_capsule", "capsule: no such capsule"),
	// InvalidState: the capsule cannot do this in the state that it is in. Advice: look at `inos.capsules()`
	// first; the message names the state.
	InvalidState: fault.Final("invalid_state", "capsule: not in this state"),
	// BadParams: a parameter of the command is wrong. Advice: correct what the message names.
	BadParams: fault.Final("bad_params", "capsule: bad parameters"),
	// Limit: the command asks for more than the capsule or the node may have. Advice: ask for less; the message
	// names the limit.
	Limit:    fault.Final("limit", "capsule: beyond a limit"),
	Deadline: ErrDeadline,
	// Crashed: the capsule ended before it answered. Advice: look at `inos.capsules()` for how; spawn it again.
	Crashed:     fault.Final("crashed", "capsule: crashed"),
	Unsupported: fault.Unsupported,
	// Denied: the node does not let the caller give this command or make this call. Advice: give it from the node
	// that spawned the capsule, or change the policy: [policy.md](policy.md).
	Denied: fault.Final("denied", "capsule: denied"),
}

// Fault is what c means by itself; nil for OK and for a code that a newer node gives.
func (c ReplyCode) Fault() *fault.Error {
	if int(c) < len(answers) {
		return answers[c]
	}
	return nil
}
