// Package matchmaker matches admitted jobs to nodes: a bounded queue by priority,
// time and deadline, a number of jobs in hand at a time, and for each one attempt
// after another until a node has done it, nothing more may be tried, its deadline
// passes or its caller gives up. It does not decide which node is best (Chooser
// does) and does not talk to one (Runner does). Only governance makes what it
// accepts.
package matchmaker
