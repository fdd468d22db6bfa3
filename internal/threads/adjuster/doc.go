// Package adjuster turns congestion into less work. For every capsule it keeps a
// valve, through which whoever feeds the capsule passes; a congested capsule's
// valve closes by halves and opens again step by step once the jam is over. For
// the host's sensors it decides how often they are worth reading. It measures
// nothing itself: the kernel tells it what the watcher saw.
package adjuster
