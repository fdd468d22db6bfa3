package kernel

import (
	"time"

	"inos/internal/capsule"
)

// Limits of one run; zero means the capsule's own.
type Limits struct {
	MemoryBytes uint64
	Time        time.Duration
}

// CapsuleInfo is one running capsule.
type CapsuleInfo struct {
	ID        string
	CID       string
	State     string
	Heartbeat capsule.Heartbeat
}
