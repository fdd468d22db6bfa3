// Package watcher watches the host (user activity, battery, visibility) and the capsules
// (heartbeats, ends) and reports what changed. It decides whether mining, work done only while
// nobody else needs the machine, may go on. It never blocks a sender: signals wait in a mailbox,
// the latest of each kind, and every one is accounted for. The kernel gives it signals and listens
// to its changes.
package watcher
