// Package matchmaker matches admitted jobs to nodes. It has a bounded queue ordered by priority,
// time and deadline, and a bounded number of jobs in hand. For each of those it makes one attempt
// after another until a node has done the job, no attempt is left, its deadline passes or its
// caller gives up. It does not decide which node is best (Chooser does) and does not talk to nodes
// (Runner does). Only governance can make the admissions that it accepts.
package matchmaker
