// Package supervisor keeps capsules alive: it starts them, carries out lifecycle commands, receives
// their heartbeats, restarts them by policy and ends them with a reason. It runs each job on an
// instance of its own, but never chooses the node. It knows no browser and no network: a
// capsule.Runtime does. The kernel calls it.
package supervisor
