// Package scheduler decides which node runs a job. It keeps the known nodes in an index ordered by
// score and returns the exact optimum among those that meet every requirement: it does not sample.
// It sends nothing, measures nothing and keeps no clock: callers pass the time. The kernel's event
// loop owns one Index; an Index is not safe for concurrent use.
// an Index is not safe for concurrent use.
package scheduler
