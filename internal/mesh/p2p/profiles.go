package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/clock"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// Publish signs p, as this node's, and announces it: by gossip, to connected
// peers that are not on the topic yet by exchange, and as provider records of
// its capabilities. A record that the directory cannot take now, for want of
// peers, is put there when the first one connects. Errors: mesh.ErrProfile for
// figures that others would refuse, ErrClosed, ErrTimeout, ErrCancelled.
func (m *Mesh) Publish(ctx context.Context, p mesh.Profile) error {
	if err := m.alive(); err != nil {
		return err
	}
	signed, err := m.sign(p)
	if err != nil {
		return err
	}
	if err := m.gossip.publish(ctx, signed); err != nil {
		return m.explain(ctx, m.self, err)
	}
	m.tellOthers(ctx)
	if err := m.provide.set(ctx, p.Capabilities); err != nil {
		return m.explain(ctx, m.self, err)
	}
	return nil
}

// sign fills in what is this node's to say, signs, and keeps the result.
func (m *Mesh) sign(p mesh.Profile) ([]byte, error) {
	p = p.Clone()
	p.Peer, p.Addrs = m.self, m.Addrs()
	if len(p.Addrs) > mesh.MaxProfileAddrs {
		p.Addrs = p.Addrs[:mesh.MaxProfileAddrs]
	}
	if p.Kind == "" {
		p.Kind = kind
	}
	m.signing.Lock()
	defer m.signing.Unlock()
	// Starting from the clock, a node that restarts is not taken for a replay; nor one whose
	// clock has been put back meanwhile, if it knows where it was.
	now := m.cfg.Now()
	m.sequence = max(m.sequence+1, uint64(now.UnixMilli()))
	p.Sequence = m.sequence
	p.Issued, p.Expires = now, clock.Told(p.Expires, now)
	payload, err := wire.EncodeProfile(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrProfile, err)
	}
	signed, err := wire.Seal(wire.DomainProfile, payload, m.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrProfile, err)
	}
	if len(signed) > profileFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", mesh.ErrProfile, len(signed), profileFrame)
	}
	_, err = m.profiles.add(signed, m.self)
	return signed, err
}

// Sequence is the number of the last profile signed, or that of Config.
func (m *Mesh) Sequence() uint64 {
	m.signing.Lock()
	defer m.signing.Unlock()
	return m.sequence
}

// tellOthers exchanges profiles with peers that gossip does not reach yet.
func (m *Mesh) tellOthers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StallTimeout)
	defer cancel()
	reached := m.gossip.listeners()
	var exchanges sync.WaitGroup
	slots := make(chan struct{}, greetings)
	for _, id := range m.host.Network().Peers() {
		if speaks, _ := m.host.Peerstore().FirstSupportedProtocol(id, ProfileProtocol); speaks == "" || reached[nameOf(id)] {
			continue
		}
		slots <- struct{}{}
		exchanges.Go(func() {
			defer func() { <-slots }()
			_, _ = m.exchange(ctx, id) // gossip carries the next one
		})
	}
	exchanges.Wait()
}

// exchange gives p this node's profile and takes p's. Errors match
// mesh.ErrNotFound when p has none to give.
func (m *Mesh) exchange(ctx context.Context, id peer.ID) (mesh.Profile, error) {
	p := nameOf(id)
	s, end, err := m.open(ctx, p, ProfileProtocol)
	if err != nil {
		return mesh.Profile{}, err
	}
	profile, err := m.swap(p, s, true)
	end(err)
	if err != nil && !errors.Is(err, mesh.ErrNotFound) {
		return mesh.Profile{}, m.explain(ctx, p, err)
	}
	return profile, err
}

// answerProfile is the other side of exchange.
func (m *Mesh) answerProfile(_ context.Context, from identity.PeerID, s *frames) error {
	_, err := m.swap(from, s, false)
	if errors.Is(err, mesh.ErrNotFound) {
		return nil
	}
	return err
}

func (m *Mesh) swap(with identity.PeerID, s *frames, opener bool) (mesh.Profile, error) {
	mine := m.profiles.signed(m.self)
	if opener {
		if err := s.send(mine); err != nil {
			return mesh.Profile{}, err
		}
	}
	theirs, err := s.read(profileFrame)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return mesh.Profile{}, err
	}
	if !opener {
		if err := s.send(mine); err != nil {
			return mesh.Profile{}, err
		}
	}
	if len(theirs) == 0 {
		return mesh.Profile{}, fmt.Errorf("%w: %s has published no profile", mesh.ErrNotFound, with)
	}
	p, err := m.profiles.add(theirs, with)
	switch {
	case errors.Is(err, errStale) && p.Peer == with:
		return p, nil
	case err != nil:
		return mesh.Profile{}, err
	case p.Peer != with:
		return mesh.Profile{}, fmt.Errorf("%w: %s gave the profile of %s", mesh.ErrProtocol, with, p.Peer)
	}
	m.heard(p)
	// What came by exchange has not been through gossip: pass it on, for those
	// who joined before its owner or were not known to it. Who has news all the time is
	// heard, and not passed on.
	if id, err := peerID(with); err == nil && m.limiter.news(id) {
		_ = m.gossip.publish(m.life, theirs)
	}
	return p, nil
}

// has reports whether p claims capability.
func has(p mesh.Profile, capability string) bool { return slices.Contains(p.Capabilities, capability) }
