package placement

import (
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// node is what this node knows of another one besides its entry in the index.
type node struct {
	profile   mesh.Profile
	connected bool
	dialable  bool          // one of its addresses can be dialled from here
	answered  bool          // it has answered; before that all that is known of it is hearsay
	rtt       time.Duration // moving average of own measurements, 0 when there is none
	misses    int           // pings in a row without an answer
	answers   Durations     // from hand-over to answer
	working   uint8         // jobs that it has reported as running while it was a stranger
	failed    []string      // capsules that it has failed with since it last did a job
	asked     time.Time     // when it was last probed for a job
	probe     *Probe        // the probe of that
	steady    time.Time     // the time since which it has been there without being lost
}

// maxMisses is how many pings in a row may go unanswered before a node is forgotten. A profile that
// is no older than its last one brings it back.
const maxMisses = 3

// Hear takes in a verified profile. Bad figures, replays and expired profiles change nothing.
func (t *Table) Hear(p mesh.Profile, now time.Time) {
	if p.Peer == t.cfg.Self || p.Check(now) != nil {
		return
	}
	n, known := t.nodes[p.Peer]
	if !known {
		n = &node{connected: t.peers[p.Peer], answered: t.peers[p.Peer], steady: now}
	}
	old, dialable := n.profile, n.dialable
	moved := known && !slices.Equal(old.Addrs, p.Addrs)
	n.profile = p
	if !known || moved {
		n.dialable = t.cfg.Effects.CanDial(p.Addrs)
	}
	t.updateFactors(p.Peer, n, now)
	if err := t.index.Upsert(scheduler.Node{
		ID: p.Peer, Capabilities: p.Capabilities, GeoHash: p.GeoHash,
		Latency: t.latency(n), CreditCost: p.CreditCost,
		FreeSlots: p.FreeSlots, QueueLength: p.QueueLength, Expires: p.Expires, Sequence: p.Sequence,
		Undialable: !n.connected && !n.dialable, Unheard: !n.answered, Stranger: t.allowed(p.Peer, n, now),
	}, now); err != nil {
		n.profile, n.dialable = old, dialable
		if !known {
			t.scorer.forget(p.Peer)
		}
		return
	}
	if t.nodes[p.Peer] = n; !known {
		t.estimated++
	}
	if known && p.Sequence == old.Sequence {
		return
	}
	if moved {
		t.index.MayBeReached(p.Peer)
	}
	if n.connected && n.rtt == 0 {
		t.cfg.Effects.Measure(p.Peer)
	}
	t.cfg.Effects.NodeHeard(p, !known, now)
	if in, ok := t.index.Node(p.Peer); ok && in.FreeSlots > 0 {
		t.cfg.Effects.Kick()
	}
}

// Meet takes in a peer that was connected before the mesh's events were followed.
func (t *Table) Meet(p mesh.Peer, now time.Time) {
	t.link(p.Profile.Peer, p.Connected)
	t.Hear(p.Profile, now)
	t.Measured(p.Profile.Peer, p.RTT)
}

// Measured takes in a ping's round trip, into a moving average that gives the newest sample a
// quarter of the weight.
func (t *Table) Measured(id identity.PeerID, rtt time.Duration) {
	n, ok := t.nodes[id]
	if !ok || rtt <= 0 {
		return
	}
	n.misses = 0
	if back := t.index.Reached(id); back || !n.answered {
		defer t.cfg.Effects.Kick()
	}
	t.setAnswered(id, n)
	if p, ok := pointOf(n.profile.Coordinate); ok {
		t.vivaldi.Update(p, rtt)
	}
	if n.rtt == 0 {
		n.rtt = rtt
		t.unanswered = 0
		t.estimated--
	} else {
		n.rtt += (rtt - n.rtt) / 4
	}
	// The node is known, so that the only error is a Scorer's: the old latency stays.
	_ = t.index.SetLatency(id, t.latency(n))
}

// setAnswered records that a node has answered here: from now on it is a candidate.
func (t *Table) setAnswered(id identity.PeerID, n *node) {
	n.answered = true
	t.index.SetUnheard(id, false)
}

// Missed counts a ping without an answer.
func (t *Table) Missed(id identity.PeerID, now time.Time) {
	n, ok := t.nodes[id]
	if !ok {
		return
	}
	if n.misses++; n.misses >= maxMisses {
		t.forget(id, now)
	}
}

func (t *Table) forget(id identity.PeerID, now time.Time) {
	t.index.Remove(id)
	t.drop(id)
	t.cfg.Effects.NodeGone(id, now)
}

// drop forgets a node that the index has dropped.
func (t *Table) drop(id identity.PeerID) {
	if n := t.nodes[id]; n != nil && n.rtt == 0 {
		t.estimated--
	}
	delete(t.nodes, id)
	t.scorer.forget(id)
}

// SetConnected records whether there is a connection to id.
func (t *Table) SetConnected(id identity.PeerID, up bool, now time.Time) {
	if n, ok := t.nodes[id]; ok {
		n.connected, n.steady = up, now
		t.index.SetUndialable(id, !up && !n.dialable)
		if up && n.rtt == 0 {
			t.cfg.Effects.Measure(id)
		}
		if up {
			t.setAnswered(id, n)
			t.index.Reached(id)
			t.cfg.Effects.Kick() // a job may wait for this connection
		}
	}
	t.link(id, up)
}

func (t *Table) link(id identity.PeerID, up bool) {
	if up {
		t.peers[id] = true
	} else {
		delete(t.peers, id)
	}
}

// Profile is a node's profile; false for this node, and for one that is not known.
func (t *Table) Profile(id identity.PeerID) (p mesh.Profile, known bool) {
	if n := t.nodes[id]; n != nil {
		return n.profile, true
	}
	return p, false
}

// RTT is the measured round trip of a known node, 0 when there is none.
func (t *Table) RTT(id identity.PeerID) (rtt time.Duration, known bool) {
	if n := t.nodes[id]; n != nil {
		return n.rtt, true
	}
	return 0, false
}

// AnswerTime is the time within which 95 % of a node's last answers came; false while too few are
// known.
func (t *Table) AnswerTime(id identity.PeerID) (time.Duration, bool) {
	if n := t.nodes[id]; n != nil {
		return n.answers.P95()
	}
	return 0, false
}

// Owner is the owner that has vouched for a node, zero for none.
func (t *Table) Owner(id identity.PeerID) identity.PeerID {
	if id == t.cfg.Self {
		return t.cfg.Owner
	}
	p, _ := t.Profile(id)
	return p.Owner
}
