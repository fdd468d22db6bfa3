package kernel

import (
	"context"
	"errors"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	// pingTimeout is the least time that a node has to answer; it has tripsToAnswer times its round
	// trip where that is longer.
	pingTimeout   = 3 * time.Second
	tripsToAnswer = 16
	pingsAtOnce   = 4
	// pingAtMost bounds a round of pings.
	pingAtMost = 64
	// meetAtOnce bounds the peers that one message to the loop takes in.
	meetAtOnce     = 128
	publishTimeout = 10 * time.Second
	// publishGap is the least time between two publications.
	publishGap = 500 * time.Millisecond
)

// followMesh brings the mesh's events into the loop.
func (k *Kernel) followMesh(ctx context.Context) error {
	m, err := k.awaitMesh(ctx)
	if err != nil {
		return err
	}
	for peers := range slices.Chunk(m.Peers(), meetAtOnce) {
		if err := k.loop.tell(ctx, func(s *state) {
			for _, p := range peers {
				now := time.Now()
				s.peersChange(p.Profile.Peer, now, func() { s.nodes.Meet(p, now) })
			}
		}); err != nil {
			return err
		}
	}
	for {
		select {
		case e, ok := <-m.Events():
			if !ok {
				<-ctx.Done() // the mesh is closed; nothing more will come
				return ctx.Err()
			}
			if err := k.loop.tell(ctx, func(s *state) { s.meshEvent(e, time.Now()) }); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (k *Kernel) awaitMesh(ctx context.Context) (mesh.Mesh, error) {
	select {
	case <-k.attached:
		return k.Mesh()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *state) meshEvent(e mesh.Event, now time.Time) {
	switch e := e.(type) {
	case mesh.ProfileHeard:
		s.nodes.Hear(e.Profile, now)
	case mesh.PeerConnected:
		s.peersChange(e.Peer, now, func() {
			s.nodes.SetConnected(e.Peer, true, now)
			s.k.emit(PeerConnected{At{now}, e.Peer})
		})
	case mesh.PeerDisconnected:
		s.peersChange(e.Peer, now, func() {
			s.nodes.SetConnected(e.Peer, false, now)
			s.k.emit(PeerDisconnected{At{now}, e.Peer})
		})
	}
}

// peersChange runs change, which adds or removes the connection to id. The first peer and the last
// one decide whether this node is in the mesh.
func (s *state) peersChange(id identity.PeerID, now time.Time, change func()) {
	before := s.nodes.Peers()
	change()
	switch after := s.nodes.Peers(); {
	case before == 0 && after == 1:
		s.k.emit(Joined{At{now}, id})
	case before == 1 && after == 0:
		s.k.emit(Parted{At{now}, id})
	}
}

// publish announces this node's profile regularly, and soon after it has changed.
func (k *Kernel) publish(ctx context.Context) error {
	m, err := k.awaitMesh(ctx)
	if err != nil {
		return err
	}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-k.republish:
		case <-ctx.Done():
			return ctx.Err()
		}
		if k.leaving.left.Load() {
			<-ctx.Done()
			return ctx.Err()
		}
		var p mesh.Profile
		if err := k.loop.ask(ctx, func(s *state) { p = k.profile(s.offered(), s.nodes.Sequence()); p.Coordinate = s.nodes.Coordinate() }); err != nil {
			return err
		}
		pub, cancel := context.WithTimeout(ctx, publishTimeout)
		// The timer repeats a failed publication. While no peer is connected every one fails.
		_ = m.Publish(pub, p)
		cancel()
		select {
		case <-time.After(publishGap):
		case <-ctx.Done():
			return ctx.Err()
		}
		again.Reset(k.cfg.PublishEvery)
	}
}

// profile is this node's profile. Its queue is empty: a job of another node that finds no free slot
// here is sent back (JobBusy) and waits where it came from.
func (k *Kernel) profile(free int, sequence uint64) mesh.Profile {
	c := &k.cfg
	p := mesh.Profile{
		Peer: c.Self, Name: c.Name, Kind: c.Kind, Capabilities: c.Capabilities, GeoHash: c.GeoHash,
		CreditCost: c.CreditCost, FreeSlots: uint32(free),
		Expires: k.cfg.Now().Add(c.ProfileTTL), Sequence: sequence, Owner: c.Owner, Ownership: c.Ownership,
	}
	if c.Slots == 0 {
		p.Capabilities = nil // no node need look for what it cannot get
	}
	if m, err := k.Mesh(); err == nil {
		p.Addrs = m.Addrs()
	}
	return p
}

// ping measures the connected peers in turn, and new ones at once.
func (k *Kernel) ping(ctx context.Context) error {
	m, err := k.awaitMesh(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(k.cfg.PingEvery)
	defer tick.Stop()
	from := 0
	var told Clocks
	for {
		var round []identity.PeerID
		select {
		case id := <-k.pings:
			round = append(round, id)
			for len(k.pings) > 0 && len(round) < pingAtMost {
				round = append(round, <-k.pings)
			}
		case <-tick.C:
			peers := m.Peers()
			for i := range min(len(peers), pingAtMost) {
				round = append(round, peers[(from+i)%len(peers)].Profile.Peer)
			}
			from += len(round)
		case <-ctx.Done():
			return ctx.Err()
		}
		k.measure(ctx, m, round, pingsAtOnce)
		told = k.watchClocks(told)
	}
}

// pingBurst is how many round trips make one measurement.
const pingBurst = 3

// roundTrip is the shortest of a few pings: the others include delays of a busy machine or a cold
// code path, which are not distance.
func roundTrip(ctx context.Context, m mesh.Mesh, id identity.PeerID) (time.Duration, error) {
	best, err := m.Ping(ctx, id)
	for range pingBurst - 1 {
		if err != nil {
			break
		}
		rtt, again := m.Ping(ctx, id)
		if again != nil {
			break // the first answer stands
		}
		best = min(best, rtt)
	}
	return best, err
}

// measure pings the nodes, atOnce at a time, and returns when all have answered or failed.
func (k *Kernel) measure(ctx context.Context, m mesh.Mesh, ids []identity.PeerID, atOnce int) {
	tokens := make(chan struct{}, atOnce)
	done := make(chan struct{})
	for _, id := range ids {
		go func() {
			defer func() { done <- struct{}{} }()
			tokens <- struct{}{}
			defer func() { <-tokens }()
			patience := pingTimeout
			if k.loop.ask(ctx, func(s *state) {
				rtt, _ := s.nodes.RTT(id)
				patience = max(patience, tripsToAnswer*rtt)
			}) != nil {
				return
			}
			one, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			rtt, err := roundTrip(one, m, id)
			// The caller waits until the measurement is in the index.
			_ = k.loop.ask(ctx, func(s *state) {
				switch {
				case err == nil:
					s.nodes.Measured(id, rtt)
				case ctx.Err() == nil && !errors.Is(err, mesh.ErrLossy): // a lossy path shows that the node is there
					s.nodes.Missed(id, time.Now())
				}
			})
		}()
	}
	for range ids {
		<-done
	}
}
