// Package adjuster turns congestion into less work. For every capsule it keeps a
// valve, through which whoever feeds the capsule passes: it shuts when the capsule
// says that it is congested and opens when it says that it no longer is. For the
// host's sensors it decides how often they are worth reading. It measures nothing
// itself: capsules say when they are congested, with the hysteresis of their rings,
// and the kernel tells it what the watcher saw of the host.
package adjuster
