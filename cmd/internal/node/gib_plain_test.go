//go:build !js && !race

package node

// Adding up what it reads, with a pause for each frame, makes the capsule slower than
// QUIC is.
const (
	gibBytes = 1 << 30
	gibDelay = "2000"
	gibShuts = 100 // for all of gibBytes
)
