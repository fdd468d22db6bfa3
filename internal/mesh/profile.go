package mesh

import (
	"fmt"
	"math"
	"slices"
	"time"

	"inos/internal/capsule"
	"inos/internal/clock"
	"inos/internal/fault"
)

// ErrProfile refuses a profile whose figures no scheduler may see: not finite,
// negative, out of bounds, or expired. Final for that profile.
var ErrProfile = fault.Internal("mesh: profile refused")

// Bounds of a profile; what exceeds them is refused, not cut.
const (
	MaxCapabilities = 64
	MaxProfileAddrs = 32
	MaxProfileLife  = time.Hour
	// MaxProfileRelay is how long after its signing a profile is accepted from another node, by
	// this node's clock, which may be wrong. It bounds how long a profile can circulate, even if
	// this node has forgotten everything else about it.
	MaxProfileRelay   = 72 * time.Hour
	maxTextBytes      = 256
	maxCoordinateDims = 32
)

// ErrTime refuses a profile because of this node's clock, which may itself be wrong: the bringer of
// the profile is not blamed.
var ErrTime = fmt.Errorf("%w: out of its time", ErrProfile)

// Source is how a profile came, and what is known of the clock that signed it.
type Source struct {
	// Direct: its node itself gave it, over its own connection, just now.
	Direct bool
	// Ahead is how far the node's clock is ahead of this one's. Measured: over a connection
	// to it; otherwise it is how far clocks are ahead in general.
	Ahead    time.Duration
	Measured bool
}

// Heard returns p as this node uses and shows it, received now: expiry and issue are converted to
// this node's time and follow its monotonic clock. A profile gives the time from its issue for
// which it is valid. That time counts from now in a profile that the node itself brings. In a
// profile of another bringer it counts from the issue, converted by the measured clock with a
// tolerance of clock.Tolerance. Where the clock has not been measured it counts from now, and the
// issue must lie within MaxProfileRelay of now. A profile without an issue is valid until its
// expiry. Errors match ErrProfile.
func (p Profile) Heard(from Source, now time.Time) (Profile, error) {
	p.Name, p.Kind = Printable(p.Name, maxName), Printable(p.Kind, maxName)
	if p.Issued.IsZero() {
		p.Expires = clock.Here(p.Expires, from.Ahead, now)
		return p, nil
	}
	life := p.Expires.Sub(p.Issued)
	if life <= 0 || life > MaxProfileLife {
		return p, fmt.Errorf("%w: good for %s, at most %s", ErrProfile, life, MaxProfileLife)
	}
	p.Issued = clock.Here(p.Issued, from.Ahead, now)
	age := now.Sub(p.Issued)
	switch {
	case from.Direct:
		age = 0
	case from.Measured:
		age = max(age-clock.Tolerance, 0)
	case age.Abs() > MaxProfileRelay:
		return p, fmt.Errorf("%w: issued %s ago by this node's clock, at most %s", ErrTime, age, MaxProfileRelay)
	default:
		age = 0
	}
	p.Expires = now.Add(life - age)
	return p, nil
}

// Check reports whether p's own content is acceptable. The caller checks who signed it and whether
// it is a replay. Errors match ErrProfile.
func (p Profile) Check(now time.Time) error {
	switch {
	case p.Peer == "":
		return fmt.Errorf("%w: no peer", ErrProfile)
	case !p.Expires.After(now):
		return fmt.Errorf("%w: expired %s ago", ErrTime, now.Sub(p.Expires))
	case p.Expires.Sub(now) > MaxProfileLife:
		return fmt.Errorf("%w: expires in %s, more than %s", ErrTime, p.Expires.Sub(now), MaxProfileLife)
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
