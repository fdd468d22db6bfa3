// Package governance decides whether a job, a message or a lifecycle command may run on this
// node, and says why. It checks the Metadata DNA first, then the policy, then asks the ledgers
// whether the job is paid for. It does no I/O, starts no goroutine and keeps no clock: callers
// pass the time. The kernel calls Admit once per job, before anything is allocated for it. The
// Admitted it returns is the only way into the matchmaker.
package governance
