package p2p

import (
	"context"
	"errors"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// gossip spreads profiles on the profile topic.
type gossip struct {
	topic *pubsub.Topic
}

// newGossip joins the topic. What arrives is taken in by the validator, so that
// only profiles that are genuine and new travel on.
func (m *Mesh) newGossip() (*gossip, error) {
	ps, err := pubsub.NewGossipSub(m.life, m.host,
		pubsub.WithFloodPublish(true), // a node's own profile goes to all its peers at once
		pubsub.WithMaxMessageSize(2*profileFrame),
		pubsub.WithPeerOutboundQueueSize(128),
	)
	if err != nil {
		return nil, err
	}
	validate := func(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
		return m.judge(from, msg)
	}
	if err := ps.RegisterTopicValidator(profileTopic, validate, pubsub.WithValidatorInline(true)); err != nil {
		return nil, err
	}
	topic, err := ps.Join(profileTopic)
	if err != nil {
		return nil, err
	}
	sub, err := topic.Subscribe()
	if err != nil {
		return nil, err
	}
	m.goWork(func() {
		defer sub.Cancel()
		for {
			if _, err := sub.Next(m.life); err != nil {
				return
			}
		}
	})
	return &gossip{topic: topic}, nil
}

func (m *Mesh) judge(from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if from == m.id {
		return pubsub.ValidationAccept
	}
	p, err := m.profiles.addNew(msg.GetData(), "", func() bool { return m.limiter.news(from) })
	if errors.Is(err, mesh.ErrTime) {
		m.doubt(p.Peer)
	}
	switch {
	case errors.Is(err, errStale), errors.Is(err, errTooMany), errors.Is(err, mesh.ErrTime):
		return pubsub.ValidationIgnore
	case err != nil:
		return pubsub.ValidationReject
	}
	m.heard(p)
	return pubsub.ValidationAccept
}

// heard tells the kernel of a profile that the book took in.
func (m *Mesh) heard(p mesh.Profile) {
	if p.Peer != m.self {
		m.events.Push(mesh.ProfileHeard{Profile: p})
	}
}

func (g *gossip) publish(ctx context.Context, signed []byte) error {
	return g.topic.Publish(ctx, signed)
}

// listeners are the peers known to be on the topic.
func (g *gossip) listeners() map[identity.PeerID]bool {
	set := map[identity.PeerID]bool{}
	for _, id := range g.topic.ListPeers() {
		set[nameOf(id)] = true
	}
	return set
}
