//go:build !js && !race

package node

// Adding up what it reads makes the capsule several times slower than QUIC is.
const (
	gibBytes = 1 << 30
	gibDelay = "0"
	gibShuts = 100
)
