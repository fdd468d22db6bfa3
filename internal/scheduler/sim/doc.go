// Package sim is a discrete-event simulation of a mesh under load, with a clock of its own. Several
// kernels send jobs to the same nodes, which they know from reports that are always a little old.
// It compares placement policies over workloads. The seed determines everything: nothing waits, and
// nothing is measured in real time. The benchmark and the tests of the scheduler call it.
package sim
