// Package adjuster reduces work under congestion. It keeps a valve for every capsule, which
// everything that feeds the capsule passes. The valve shuts when the capsule says that it is
// congested and opens when it says that it no longer is. The adjuster also decides how often the
// host's sensors are worth reading. It measures nothing itself: capsules report congestion, with
// the hysteresis of their rings, and the kernel passes on what the watcher saw of the host.
package adjuster
