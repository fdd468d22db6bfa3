package mesh

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"inos/internal/capsule"
)

// ErrProfile refuses a profile whose figures no scheduler may see: not finite,
// negative, out of bounds, or expired. Final for that profile.
var ErrProfile = errors.New("mesh: profile refused")

// Bounds of a profile; what exceeds them is refused, not cut.
const (
	MaxCapabilities   = 64
	MaxProfileAddrs   = 32
	MaxProfileLife    = time.Hour
	maxTextBytes      = 256
	maxCoordinateDims = 32
)

// Check reports whether p may be believed as far as its own text goes; who
// signed it and whether it is a replay is the caller's question. Errors match
// ErrProfile.
func (p Profile) Check(now time.Time) error {
	switch {
	case p.Peer == "":
		return fmt.Errorf("%w: no peer", ErrProfile)
	case !p.Expires.After(now):
		return fmt.Errorf("%w: expired %s ago", ErrProfile, now.Sub(p.Expires))
	case p.Expires.Sub(now) > MaxProfileLife:
		return fmt.Errorf("%w: expires in %s, more than %s", ErrProfile, p.Expires.Sub(now), MaxProfileLife)
	case p.Latency < 0:
		return fmt.Errorf("%w: negative latency", ErrProfile)
	case len(p.Capabilities) > MaxCapabilities:
		return fmt.Errorf("%w: %d capabilities", ErrProfile, len(p.Capabilities))
	case len(p.Addrs) > MaxProfileAddrs:
		return fmt.Errorf("%w: %d addresses", ErrProfile, len(p.Addrs))
	case len(p.Name) > maxTextBytes || len(p.Kind) > maxTextBytes || len(p.GeoHash) > maxTextBytes:
		return fmt.Errorf("%w: a text longer than %d bytes", ErrProfile, maxTextBytes)
	}
	if err := capsule.CheckCapabilities(p.Capabilities); err != nil {
		return fmt.Errorf("%w: %w", ErrProfile, err)
	}
	for _, a := range p.Addrs {
		if len(a) > 2*maxTextBytes {
			return fmt.Errorf("%w: address of %d bytes", ErrProfile, len(a))
		}
	}
	return p.Coordinate.check()
}

func (c *Coordinate) check() error {
	if c == nil {
		return nil
	}
	if len(c.Vec) > maxCoordinateDims {
		return fmt.Errorf("%w: coordinate of %d dimensions", ErrProfile, len(c.Vec))
	}
	for _, v := range append(slices.Clone(c.Vec), c.Error, c.Adjustment, c.Height) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: coordinate not finite", ErrProfile)
		}
	}
	// The vector and the adjustment may be below zero by definition; these not.
	if c.Error < 0 || c.Height < 0 {
		return fmt.Errorf("%w: negative coordinate error or height", ErrProfile)
	}
	return nil
}

// Clone copies p and all it points to.
func (p Profile) Clone() Profile {
	p.Capabilities = slices.Clone(p.Capabilities)
	p.Addrs = slices.Clone(p.Addrs)
	p.Ownership = slices.Clone(p.Ownership)
	if p.Coordinate != nil {
		c := *p.Coordinate
		c.Vec = slices.Clone(c.Vec)
		p.Coordinate = &c
	}
	return p
}
