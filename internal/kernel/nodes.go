package kernel

import (
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// node is what this node knows of another one besides the index's entry.
type node struct {
	profile   mesh.Profile
	connected bool
	dialable  bool          // one of its addresses can be dialled from here
	answered  bool          // it has: until then all that is known of it is hearsay
	rtt       time.Duration // moving average of own measurements, 0 when there is none
	misses    int           // pings in a row without an answer
	answers   answerTimes
	working   uint8     // jobs that it has reported to run while it was a stranger
	failed    []string  // capsules that it failed with since it last did a job
	asked     time.Time // when it was last measured for a job
	round     *round    // the measurement that asked
	steady    time.Time // since when it has been there without being lost
}

// lostAfter is how many pings in a row may go unanswered before a node is
// forgotten. A profile newer than the last one brings it back.
const lostAfter = 3

// hear takes a verified profile in. Bad figures, replays and expired profiles
// leave everything as it was.
func (s *state) hear(p mesh.Profile, now time.Time) {
	if p.Peer == s.k.cfg.Self || p.Check(now) != nil {
		return
	}
	n, known := s.nodes[p.Peer]
	if !known {
		n = &node{connected: s.peers[p.Peer], answered: s.peers[p.Peer], steady: now}
	}
	old, dialable := n.profile, n.dialable
	moved := known && !slices.Equal(old.Addrs, p.Addrs)
	n.profile = p
	if !known || moved {
		n.dialable = s.canDial(p.Addrs)
	}
	s.reckon(p.Peer, n, now)
	if err := s.index.Upsert(scheduler.Node{
		ID: p.Peer, Capabilities: p.Capabilities, GeoHash: p.GeoHash,
		Latency: s.latency(n), CreditCost: p.CreditCost,
		FreeSlots: p.FreeSlots, QueueLength: p.QueueLength, Expires: p.Expires, Sequence: p.Sequence,
		Undialable: !n.connected && !n.dialable, Unheard: !n.answered, Stranger: s.allowed(p.Peer, n),
	}, now); err != nil {
		n.profile, n.dialable = old, dialable
		if !known {
			delete(s.factors, p.Peer)
			delete(s.caps, p.Peer)
		}
		return
	}
	if s.nodes[p.Peer] = n; !known {
		s.estimated++
	}
	if known && p.Sequence == old.Sequence {
		return
	}
	if moved {
		s.index.MayBeReached(p.Peer)
	}
	if n.connected && n.rtt == 0 {
		s.k.wantPing(p.Peer)
	}
	s.k.emit(NodeHeard{At{now}, p, !known})
	if in, ok := s.index.Node(p.Peer); ok && in.FreeSlots > 0 {
		s.k.matchmaker.Kick()
	}
}

// measured takes a ping's round trip in: a moving average that gives the newest
// sample a quarter of the weight.
func (s *state) measured(id identity.PeerID, rtt time.Duration) {
	n, ok := s.nodes[id]
	if !ok || rtt <= 0 {
		return
	}
	n.misses = 0
	if back := s.index.Reached(id); back || !n.answered {
		defer s.k.matchmaker.Kick()
	}
	s.heardFrom(id, n)
	if p, ok := pointOf(n.profile.Coordinate); ok {
		s.vivaldi.Update(p, rtt)
	}
	if n.rtt == 0 {
		n.rtt = rtt
		s.inVain = 0
		s.estimated--
	} else {
		n.rtt += (rtt - n.rtt) / 4
	}
	// The node is known, so the only error left is a Scorer's: keep the old latency.
	_ = s.index.SetLatency(id, s.latency(n))
}

// heardFrom says that a node has answered here: from now on it is a candidate.
func (s *state) heardFrom(id identity.PeerID, n *node) {
	n.answered = true
	s.index.SetUnheard(id, false)
}

// missed counts a ping without an answer.
func (s *state) missed(id identity.PeerID, now time.Time) {
	n, ok := s.nodes[id]
	if !ok {
		return
	}
	if n.misses++; n.misses >= lostAfter {
		s.forget(id, now)
	}
}

func (s *state) forget(id identity.PeerID, now time.Time) {
	s.index.Remove(id)
	s.lost(id)
	s.k.emit(NodeGone{At{now}, id})
}

// lost drops what is known of a node that the index has dropped.
func (s *state) lost(id identity.PeerID) {
	if n := s.nodes[id]; n != nil && n.rtt == 0 {
		s.estimated--
	}
	delete(s.nodes, id)
	delete(s.factors, id)
	delete(s.caps, id)
}

func (s *state) connection(id identity.PeerID, up bool, now time.Time) {
	if n, ok := s.nodes[id]; ok {
		n.connected, n.steady = up, now
		s.index.SetUndialable(id, !up && !n.dialable)
		if up && n.rtt == 0 {
			s.k.wantPing(id)
		}
		if up {
			s.heardFrom(id, n)
			s.index.Reached(id)
			s.k.matchmaker.Kick() // somebody may wait for it
		}
	}
	if up {
		s.k.emit(PeerConnected{At{now}, id})
	} else {
		s.k.emit(PeerDisconnected{At{now}, id})
	}
	s.link(id, up, now)
}

// canDial asks the mesh; without one, or where it does not say, everybody can be dialled.
func (s *state) canDial(addrs []string) bool {
	m, err := s.k.theMesh()
	if err != nil {
		return true
	}
	d, ok := m.(mesh.Dialer)
	return !ok || d.CanDial(addrs)
}

// link notes whether a peer is connected. The first and the last one decide
// whether this node is in the mesh.
func (s *state) link(id identity.PeerID, up bool, now time.Time) {
	before := len(s.peers)
	if up {
		s.peers[id] = true
	} else {
		delete(s.peers, id)
	}
	switch after := len(s.peers); {
	case before == 0 && after == 1:
		s.k.emit(Joined{At{now}, id})
	case before == 1 && after == 0:
		s.k.emit(Parted{At{now}, id})
	}
}

// list describes every known node, this one first, then by id.
func (s *state) list() []NodeInfo {
	out := make([]NodeInfo, 0, len(s.nodes)+1)
	out = append(out, s.info(s.k.cfg.Self))
	ids := make([]identity.PeerID, 0, len(s.nodes))
	for id := range s.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		out = append(out, s.info(id))
	}
	return out
}

// info describes this node or a known one.
func (s *state) info(id identity.PeerID) NodeInfo {
	var info NodeInfo
	if id == s.k.cfg.Self {
		info = NodeInfo{Profile: s.k.profile(s.offered(), s.sequence), Self: true, Measured: true}
	} else {
		n := s.nodes[id]
		_, settled := s.estimate(n.profile.Coordinate)
		info = NodeInfo{Profile: n.profile, Connected: n.connected, Measured: n.rtt > 0, Estimated: n.rtt == 0 && settled}
	}
	info.Missing, info.Candidate = s.index.Missing(id, time.Now())
	if n, ok := s.index.Node(id); ok {
		info.Latency, info.FreeSlots = n.Latency, n.FreeSlots
		// As the index has it: failures count.
		info.Score = s.k.cfg.Scorer.Score(n) / (1 + n.Failures)
	}
	return info
}

// owner is who has vouched for owning a known node, zero for nobody.
func (s *state) owner(id identity.PeerID) identity.PeerID {
	if id == s.k.cfg.Self {
		return s.k.cfg.Owner
	}
	if n := s.nodes[id]; n != nil {
		return n.profile.Owner
	}
	return ""
}
