//go:build !js && race

package node

// The race detector makes QUIC's cryptography an order of magnitude slower, but not
// the capsule, which is slowed down for it: it may not fall behind all the same, so that
// the stage gib alone, without the detector, counts how often the valve shuts.
const (
	gibBytes = 1 << 25
	gibDelay = "20000"
	gibShuts = 0
)
