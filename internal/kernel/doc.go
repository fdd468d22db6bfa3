// Package kernel joins the parts into one node: governance admits a job, the matchmaker queues
// it, placement chooses its node, and the mesh or this node's own capsules run it. One event loop
// owns the state (the nodes, the jobs, the slots); everything else sends it messages. The kernel
// knows interfaces only: cmd/ hands it the mesh, the capsules and the payments. It does no I/O of
// its own, and it logs nothing: it emits events.
//
// What it decides is in packages of their own: placement chooses nodes and judges them, quorum has
// several nodes agree, lifecycle spawns and commands capsules and carries their streams. Here are
// the loop, what is dispatched from here, what is served for others, and how one job runs.
package kernel
