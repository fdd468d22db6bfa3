package wire

import (
	"crypto/ed25519"
	"fmt"
	"time"

	capnp "capnproto.org/go/capnp/v3"

	"inos/internal/identity"
	"inos/internal/mesh"
	systemv1 "inos/schema/system/v1"
)

// EncodeProfile writes p without a signature. Seal signs it, with DomainProfile.
func EncodeProfile(p mesh.Profile) ([]byte, error) {
	return build(systemv1.NewRootNodeProfile, func(s systemv1.NodeProfile, w *put) {
		w.do(s.SetPeerId(string(p.Peer)))
		w.do(s.SetName(p.Name))
		w.do(s.SetKind(p.Kind))
		w.texts(s.NewCapabilities, p.Capabilities)
		w.do(s.SetGeoHash(p.GeoHash))
		s.SetLatencyNs(p.Latency.Nanoseconds())
		s.SetCreditCost(p.CreditCost)
		s.SetFreeSlots(p.FreeSlots)
		s.SetQueueLength(p.QueueLength)
		s.SetExpires(nanos(p.Expires))
		s.SetIssued(nanos(p.Issued))
		s.SetSequence(p.Sequence)
		w.texts(s.NewAddrs, p.Addrs)
		if len(p.Ownership) > 0 {
			w.do(s.SetOwnership(p.Ownership))
		}
		if p.Coordinate != nil && w.err == nil {
			c, err := s.NewCoordinate()
			w.do(err)
			if w.err == nil {
				putCoordinate(c, w, p.Coordinate)
			}
		}
	})
}

func putCoordinate(s systemv1.Coordinate, w *put, c *mesh.Coordinate) {
	s.SetError(c.Error)
	s.SetAdjustment(c.Adjustment)
	s.SetHeight(c.Height)
	vec, err := s.NewVec(int32(len(c.Vec)))
	w.do(err)
	for i := 0; i < len(c.Vec) && w.err == nil; i++ {
		vec.Set(i, c.Vec[i])
	}
}

// DecodeProfile reads a profile. It checks the form and the ownership of the node, but not the
// figures, which the profile's user checks. Errors match ErrMalformed, or ErrSignature when the
// ownership is not signed by the owner.
func DecodeProfile(data []byte) (mesh.Profile, error) {
	var p mesh.Profile
	err := parse(data, systemv1.ReadRootNodeProfile, func(s systemv1.NodeProfile, g *get) {
		p = mesh.Profile{
			Peer:         identity.PeerID(g.text(s.PeerId())),
			Name:         g.text(s.Name()),
			Kind:         g.text(s.Kind()),
			Capabilities: g.texts(s.Capabilities()),
			GeoHash:      g.text(s.GeoHash()),
			Latency:      time.Duration(s.LatencyNs()),
			CreditCost:   s.CreditCost(),
			FreeSlots:    s.FreeSlots(),
			QueueLength:  s.QueueLength(),
			Expires:      instant(s.Expires()),
			Issued:       instant(s.Issued()),
			Sequence:     s.Sequence(),
			Addrs:        g.texts(s.Addrs()),
			Ownership:    g.data(s.Ownership()),
		}
		if s.HasCoordinate() {
			c, err := s.Coordinate()
			g.keep(err)
			p.Coordinate = getCoordinate(c, g)
		}
	})
	if err == nil && p.Ownership != nil {
		p.Owner, err = OpenOwnership(p.Ownership, p.Peer)
	}
	if err != nil {
		return mesh.Profile{}, err
	}
	return p, nil
}

// SealOwnership returns a statement, signed with key, that its owner owns node, for the node's
// profile.
func SealOwnership(node identity.PeerID, key ed25519.PrivateKey) ([]byte, error) {
	if _, err := node.PublicKey(); err != nil {
		return nil, err
	}
	return Seal(DomainOwner, []byte(node), key)
}

// OpenOwnership returns the owner of node. Errors match ErrMalformed or ErrSignature.
func OpenOwnership(data []byte, node identity.PeerID) (identity.PeerID, error) {
	of, owner, err := Open(DomainOwner, data)
	if err != nil {
		return "", err
	}
	if identity.PeerID(of) != node {
		return "", fmt.Errorf("%w: it speaks of node %.80q", ErrSignature, of)
	}
	return owner, nil
}

func getCoordinate(s systemv1.Coordinate, g *get) *mesh.Coordinate {
	vec, err := s.Vec()
	g.keep(err)
	return &mesh.Coordinate{
		Vec:        floats(vec),
		Error:      s.Error(),
		Adjustment: s.Adjustment(),
		Height:     s.Height(),
	}
}

func floats(l capnp.Float64List) []float64 {
	out := make([]float64, l.Len())
	for i := range out {
		out[i] = l.At(i)
	}
	return out
}
