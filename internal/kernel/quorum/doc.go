// Package quorum has one job run by several nodes and accepts the output that enough of them
// return. Candidates says which nodes, Agreement what their answers come to, Run who of them
// is paid and who is recorded as having failed. It reaches no node, no ledger and no index by
// itself: the kernel, its only caller, hands in what does.
package quorum
