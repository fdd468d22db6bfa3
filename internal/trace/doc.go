// Package trace follows one job through every hop. It reads and makes W3C trace contexts. It
// keeps the newest spans of this node, and of the nodes that worked for it, in memory of a fixed
// size. It exports nothing itself: trace/otlp does, natively. The kernel makes the spans.
package trace
