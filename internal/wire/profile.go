package wire

import (
	"time"

	capnp "capnproto.org/go/capnp/v3"

	"inos/internal/identity"
	"inos/internal/mesh"
	systemv1 "inos/schema/system/v1"
)

// EncodeProfile writes p, unsigned; Seal it with DomainProfile.
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
		s.SetSequence(p.Sequence)
		w.texts(s.NewAddrs, p.Addrs)
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

// DecodeProfile reads a profile. It checks the shape, not the figures: whoever
// keeps the profile does. Errors match ErrMalformed.
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
			Sequence:     s.Sequence(),
			Addrs:        g.texts(s.Addrs()),
		}
		if s.HasCoordinate() {
			c, err := s.Coordinate()
			g.keep(err)
			p.Coordinate = getCoordinate(c, g)
		}
	})
	if err != nil {
		return mesh.Profile{}, err
	}
	return p, nil
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
