package p2p

import (
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// strangers are nodes that somebody made up.
func strangers(t *testing.T, n int) (signed [][]byte) {
	for i := range n {
		signed = append(signed, signedProfile(t, 50_000+i, testkit.Key(50_000+i), func(p *mesh.Profile) { p.Expires = time.Now().Add(10 * time.Minute) }))
	}
	return signed
}

// Whoever makes up nodes by the hundred drives out none but his own.
func TestAFloodForgetsItself(t *testing.T) {
	now := time.Now()
	b := newProfileStore(func() time.Time { return now })
	b.size = 200
	near := testkit.Peer(2)
	b.keep = func(p identity.PeerID) bool { return p == near }
	take := func(i int, life time.Duration) {
		_, err := b.add(signedProfile(t, i, testkit.Key(i), func(p *mesh.Profile) { p.Expires = now.Add(life) }), "")
		require.NoError(t, err)
		now = now.Add(time.Millisecond)
	}
	take(1, time.Minute) // heard of before the flood, and the first to expire
	take(4, time.Hour)   // and the last
	made := strangers(t, 300)
	for i, signed := range made {
		if i == 250 { // there is no room
			take(2, time.Minute) // connected meanwhile
		}
		_, err := b.add(signed, "")
		require.NoError(t, err)
		now = now.Add(time.Millisecond)
	}
	require.Len(t, b.entries, b.size)
	require.Contains(t, b.entries, testkit.Peer(1))
	require.Contains(t, b.entries, testkit.Peer(4))
	require.Contains(t, b.entries, near)
	require.Contains(t, b.entries, testkit.Peer(50_000), "who was there first stays")
	// A renewal makes nobody a newcomer.
	_, err := b.add(signedProfile(t, 1, testkit.Key(1), func(p *mesh.Profile) { p.Sequence += 1 << 20; p.Expires = now.Add(time.Hour) }), "")
	require.NoError(t, err)
	take(3, time.Hour)
	require.Contains(t, b.entries, testkit.Peer(1))
	require.Contains(t, b.entries, testkit.Peer(3), "a newcomer is heard")
}

// From one neighbour so many new nodes are heard at a time, and from another more.
func TestNewNodesAreRated(t *testing.T) {
	a, b := pair(t, 430, nil)
	c := start(t, 432, nil)
	a.limiter.mu.Lock()
	a.limiter.of(b.id).news.SetLimit(0) // so that it does not matter how long the test takes
	a.limiter.mu.Unlock()
	taken, ignored := 0, 0
	for _, signed := range strangers(t, newsBurst+200) {
		switch a.judge(b.id, &pubsub.Message{Message: &pb.Message{Data: signed}}) {
		case pubsub.ValidationAccept:
			taken++
		case pubsub.ValidationIgnore:
			ignored++
		}
	}
	require.Equal(t, newsBurst, taken)
	require.Equal(t, 200, ignored, "nobody is accused")
	fresh := signedProfile(t, 99, testkit.Key(99), nil)
	require.Equal(t, pubsub.ValidationAccept, a.judge(c.id, &pubsub.Message{Message: &pb.Message{Data: fresh}}))
	newer := signedProfile(t, 99, testkit.Key(99), func(p *mesh.Profile) { p.Sequence += 10 })
	require.Equal(t, pubsub.ValidationAccept, a.judge(b.id, &pubsub.Message{Message: &pb.Message{Data: newer}}), "a known node is no news")
}
