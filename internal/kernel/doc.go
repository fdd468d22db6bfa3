// Package kernel joins the parts into one node: governance admits a job,
// the matchmaker queues it, the scheduler picks its node, and the mesh or this
// node's own capsules run it. One event loop owns the state (known nodes, the
// scheduler's index, the jobs); everything else sends it messages. The kernel
// knows interfaces only: cmd/ hands it the mesh, the capsules and the payments. It
// does no I/O of its own, and it logs nothing: it emits events.
package kernel
