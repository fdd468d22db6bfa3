// Package quorum runs one job on several nodes and accepts the output that enough of them return.
// Candidates chooses the nodes, Agreement compares their outputs, and Run decides which of them is
// paid and which is recorded as having failed. It reaches no node, no ledger and no index by
// itself: the kernel, its only caller, passes in what does.
package quorum
