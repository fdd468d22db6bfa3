// Package placement keeps what one node knows of the others and chooses the node that runs a
// job. Table is a state machine: plain methods on one goroutine, the kernel's loop, which passes
// the time in. It starts no goroutine, waits for nothing and does no I/O. What is to be done
// goes through Effects.
//
// # Who judges a node
//
// A node is judged in one place, by three methods of Table. They are told facts, not verdicts.
//
//	Done          one attempt at a job has ended on a node
//	JobDone       a job has been done: how all attempts at it went
//	Contradicted  a single failed attempt at a job that others have done (JobDone calls it)
//
// The kernel calls Done for every slot that a job comes back from, JobDone once for every job that
// was dispatched here and has been done, and Contradicted for a replica that failed beside replicas
// that agree.
//
// Done takes in what an attempt shows by itself:
//
//	the node did the job      success: score, durations, price, end of probation
//	its own fault             failure. A broken protocol, a wrong signature or a wrong result
//	                          cannot be the job's fault, nor this side's
//	may be its fault          suspicion: it refused the job, failed, crashed or ran out of time.
//	                          The node is suspended for jobs of the same Kind, and that is all.
//	                          After failedKinds capsules, and no job done meanwhile, it is a failure
//	nothing reached it        it is passed over for a while, without loss of score
//	it is busy                it has no slot until it reports again
//	lost on a lossy path      it is passed over for a while, and that is all
//
// JobDone takes in what another node's success shows. Each node that failed the job is suspended
// for jobs of its Kind, whatever it said. Silence, a timeout, a lost connection, an internal
// failure, a failed run, or a crash is a failure then.
//
// What follows from that:
//
//	consequence      kept in                lasts                          undone by
//	lower score      scheduler.Index        halves every minute            a job done, in part
//	quarantine       scheduler.Index        10 s to 5 min, then one job    a job done
//	passed over      scheduler.Index        1 s to 30 s, then one job      any answer
//	suspended        refused, suspect       10 s to 5 min, one Kind only   a job of the Kind done
//	reputation       credit.Reputation      days                           jobs done
//	steadiness       node.steady            decides last attempts          time without a loss
//
// A success, a wrong result and a broken protocol also go to the reputation as soon as they are
// seen: the kernel asks DeedOf and calls Record. A suspended node that is merely suspected gets
// jobs of the Kind when no other node is free, unless it is a stranger, which has no record; one
// whose failure was contradicted gets them when no other node can have them.
package placement
