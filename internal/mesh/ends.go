package mesh

import (
	"inos/internal/fault"
)

// ErrRemote: another node says something that is none of these codes. Advice: the message has its words.
var ErrRemote = fault.Final("remote", "mesh: another node gives no code")

// ends holds the fault of each end of a job for which its node gives no reason.
var ends = [...]*fault.Error{
	// JobRejected: the node's policy or its ledger rejects the job. Advice: the message has the reason; try
	// another node.
	JobRejected: fault.Final("rejected", "mesh: the node rejects the job"),
	// JobBusy: the node has no room for the job now. Advice: try again, or elsewhere.
	JobBusy:           fault.Retryable("node_busy", "mesh: the node is busy"),
	JobUnknownCapsule: fault.Final("unknown_capsule", "mesh: the node cannot have the capsule"),
	// JobBadCapsule: the module is none that the node runs. Advice: [capsules.md](capsules.md).
	JobBadCapsule: fault.Final("bad_capsule", "mesh: the node does not run the module"),
	JobFailed:     fault.Final("run_failed", "mesh: the capsule failed"),
	// JobCrashed: the capsule crashed. Advice: try again; if it is the same elsewhere, repair the capsule.
	JobCrashed:   fault.Retryable("capsule_crashed", "mesh: the capsule crashed"),
	JobDeadline:  fault.Retryable("deadline", "mesh: the job's time was over"),
	JobCancelled: fault.Final("cancelled", "mesh: the job was cancelled"),
	// JobInternal: the node itself failed. Advice: try again; another node is chosen.
	JobInternal: fault.Retryable("node_failed", "mesh: the node failed"),
	// JobCreditExhausted: the job has used up its budget, or the node's books cannot pay for it. Advice: give it a
	// larger `budget`, or fund the ledger: [economy.md](economy.md#what-is-held).
	JobCreditExhausted: fault.Final("credit_exhausted", "mesh: the job's budget is used up"),
}

// Fault returns the meaning of c when a job ends with it and no reason is given.
func (c JobCode) Fault() *fault.Error {
	if c == JobOK || !c.Known() {
		return ErrRemote
	}
	return ends[c]
}

// Heard returns the error of the code that another node gives as its reason. It returns otherwise
// when the node gives no code that is known here.
func Heard(reason string, otherwise *fault.Error) *fault.Error {
	if e := fault.Lookup(reason); e != nil && reason != ErrRemote.Code() {
		return e
	}
	return otherwise
}

// Tells reports whether a node may give e to another one as the reason why a job, a call or a
// command failed: the fault lies with the payer, the capsule or the policy.
func Tells(e *fault.Error) bool {
	return e.Of("governance", "credit", "budget", "library", "capsule")
}

// Reason returns the code that a node gives another one for err. It is "" for a failure of the node
// itself, which a JobCode or a ReplyCode reports.
func Reason(err error) string {
	if e := fault.Among(err, Tells); e != nil {
		return e.Code()
	}
	return ""
}
