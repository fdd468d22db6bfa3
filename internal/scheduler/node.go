package scheduler

import (
	"fmt"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
)

// Node is what the scheduler knows of one node. Strings and the slice are
// retained: the caller must not change them after Upsert.
type Node struct {
	ID           identity.PeerID
	Capabilities []string // a set: order and repetition do not matter
	GeoHash      string   // base32 geohash, at most 12 characters; empty means unknown
	Latency      time.Duration
	CreditCost   uint64 // microcredits per second of capsule time
	FreeSlots    uint32 // 0 means that the node cannot take a job now
	QueueLength  uint32 // jobs waiting there
	Expires      time.Time
	Sequence     uint64 // counts up with every profile the node signs
	Undialable   bool   // this node cannot dial it, and has no connection to it
	Unheard      bool   // it has never answered this node: other nodes have told of it
	Stranger     uint8  // jobs it may have at a time until it has done one; 0: it is proven

	// The index adds these four to a report; Upsert ignores them.
	Slots    uint32        // free or taken, as far as the reports tell
	InFlight uint32        // jobs sent there from here that have not ended: leases held
	Service  time.Duration // how long a job takes there, on average; 0 until Observe
	Failures float64       // decayed count of its own failures: see RecordFailure
}

// Limits on the contents of one profile; a profile beyond them is refused.
const (
	MaxIDBytes         = 128
	MaxCapabilities    = 64
	MaxCapabilityBytes = 64
	MaxGeoHash         = 12
	MaxExclude         = 4096
)

// Errors of Upsert and the setters. All are final for the same input and leave the index unchanged.
var (
	ErrNodeID       = fault.Internal("scheduler: bad node id")
	ErrCapabilities = fault.Internal("scheduler: bad capability set")
	ErrGeoHash      = fault.Internal("scheduler: not a geohash")
	ErrLatency      = fault.Internal("scheduler: latency must not be negative")
	ErrScore        = fault.Internal("scheduler: score is not a finite number above zero")
	ErrExpired      = fault.Internal("scheduler: profile has expired")
	ErrReplayed     = fault.Internal("scheduler: profile is older than the one known")
	ErrFull         = fault.Internal("scheduler: index is full")
	ErrUnknownNode  = fault.Internal("scheduler: unknown node")
)

// validate checks everything about n that does not depend on the index.
func (n *Node) validate(now time.Time) error {
	if len(n.ID) == 0 || len(n.ID) > MaxIDBytes {
		return fmt.Errorf("%w: %d bytes", ErrNodeID, len(n.ID))
	}
	if err := validCapabilities(n.Capabilities); err != nil {
		return err
	}
	if _, ok := parseGeo(n.GeoHash); !ok {
		return fmt.Errorf("%w: %.20q", ErrGeoHash, n.GeoHash)
	}
	if n.Latency < 0 {
		return fmt.Errorf("%w: %v", ErrLatency, n.Latency)
	}
	if !n.Expires.After(now) {
		return fmt.Errorf("%w: at %v", ErrExpired, n.Expires)
	}
	return nil
}

func validCapabilities(names []string) error {
	if len(names) > MaxCapabilities {
		return fmt.Errorf("%w: %d names", ErrCapabilities, len(names))
	}
	for _, name := range names {
		if len(name) == 0 || len(name) > MaxCapabilityBytes {
			return fmt.Errorf("%w: a name of %d bytes", ErrCapabilities, len(name))
		}
	}
	return nil
}
