package forward

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/trace"
	"inos/internal/wire"
)

// receivers are native nodes that take spans. A node without a Receiver refuses them.
type receivers struct {
	order []identity.PeerID
	of    map[identity.PeerID]*Receiver
	asked []identity.PeerID
}

func (r *receivers) Peers() []mesh.Peer {
	peers := []mesh.Peer{{Connected: true, Profile: mesh.Profile{Peer: testkit.Peer(100), Kind: "browser"}},
		{Profile: mesh.Profile{Peer: testkit.Peer(101), Kind: "native"}}}
	for _, id := range r.order {
		peers = append(peers, mesh.Peer{Connected: true, Profile: mesh.Profile{Peer: id, Kind: "native"}})
	}
	return peers
}

func (r *receivers) Send(ctx context.Context, p identity.PeerID, name string, body []byte) ([]byte, error) {
	r.asked = append(r.asked, p)
	if name != mesh.RequestTrace || r.of[p] == nil {
		return nil, errors.New("not taken here")
	}
	return r.of[p].Take(ctx, self, body)
}

var self = testkit.Peer(1)

func span(name string) trace.Span {
	return trace.Start(trace.Context{}, name, "job", time.Unix(100, 0)).End(self, "", time.Unix(101, 0))
}

// add queues n spans in f.
func add(f *Forwarder, n int) {
	for range n {
		f.Add(span("run"))
	}
}

// A node's own spans arrive unchanged at the first native node that takes them, and that one is
// asked first from then on. Spans of other nodes are not sent.
func TestSpansReachANativeNode(t *testing.T) {
	var taken []trace.Span
	takes := NewReceiver(func(s trace.Span) { taken = append(taken, s) })
	r := &receivers{order: []identity.PeerID{testkit.Peer(2), testkit.Peer(3)}, of: map[identity.PeerID]*Receiver{testkit.Peer(3): takes}}
	f := NewForwarder(self, r)
	own := span("run")
	f.Add(own)
	foreign, served := span("run"), span("run")
	foreign.Node, served.Served = testkit.Peer(2), true
	f.Add(foreign)
	f.Add(served)
	f.Send(t.Context())
	require.Equal(t, []identity.PeerID{testkit.Peer(2), testkit.Peer(3)}, r.asked)
	require.Len(t, taken, 1)
	require.True(t, own.Start.Equal(taken[0].Start))
	taken[0].Start = own.Start
	require.Equal(t, own, taken[0])

	add(f, 1)
	f.Send(t.Context())
	require.Equal(t, testkit.Peer(3), r.asked[2], "who took the last ones")
	require.Len(t, taken, 2)
	f.Send(t.Context())
	require.Len(t, r.asked, 3, "nothing is queued")

	r.of = map[identity.PeerID]*Receiver{testkit.Peer(2): takes}
	add(f, 1)
	f.Send(t.Context())
	require.Equal(t, []identity.PeerID{testkit.Peer(3), testkit.Peer(2)}, r.asked[3:], "another takes them now")
	require.Len(t, taken, 3)
}

// Spans that no node takes are dropped after a few nodes have been asked. The queue is bounded
// and drops the newest. Spans travel in several requests.
func TestSpansAreBounded(t *testing.T) {
	r := &receivers{}
	for n := range byte(10) {
		r.order = append(r.order, testkit.Peer(10+n))
	}
	f := NewForwarder(self, r)
	add(f, 1)
	f.Send(t.Context())
	require.Len(t, r.asked, nodesAsked)
	taken := 0
	r.of, r.asked = map[identity.PeerID]*Receiver{testkit.Peer(10): NewReceiver(func(trace.Span) { taken++ })}, nil
	f.Send(t.Context())
	require.Empty(t, r.asked, "it is gone")
	add(f, queueSpans+5)
	f.Send(t.Context())
	require.Equal(t, queueSpans, taken)
	require.Len(t, r.asked, queueSpans/requestSpans)
}

// A node that sends too many spans is refused for a while, and no other node is.
func TestReceiverLimitsEachNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		r := NewReceiver(func(trace.Span) { taken++ })
		var batch []trace.Span
		for range spansBurst / 4 {
			batch = append(batch, span("run"))
		}
		body, err := wire.EncodeSpans(batch)
		require.NoError(t, err)
		take := func(from identity.PeerID) error {
			_, err := r.Take(t.Context(), from, body)
			return err
		}
		for range 4 {
			require.NoError(t, take(testkit.Peer(1)))
		}
		require.ErrorIs(t, take(testkit.Peer(1)), ErrRate)
		require.NoError(t, take(testkit.Peer(2)))
		require.Equal(t, 5*len(batch), taken)
		time.Sleep(time.Second)
		require.NoError(t, take(testkit.Peer(1)))
		_, err = r.Take(t.Context(), testkit.Peer(3), []byte("no spans"))
		require.Error(t, err)
	})
}

// Received spans are the sender's own and bounded in length, whatever they say.
func TestReceivedSpansAreTheSenders(t *testing.T) {
	var taken []trace.Span
	r := NewReceiver(func(s trace.Span) { taken = append(taken, s) })
	s := span("run")
	s.Node, s.JobID = testkit.Peer(9), string(make([]byte, 2*trace.MaxName))
	body, err := wire.EncodeSpans([]trace.Span{s})
	require.NoError(t, err)
	_, err = r.Take(t.Context(), testkit.Peer(1), body)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	require.Equal(t, testkit.Peer(1), taken[0].Node)
	require.Len(t, taken[0].JobID, trace.MaxName)
}

// Run sends queued spans every two seconds, and ends with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		r := &receivers{order: []identity.PeerID{testkit.Peer(2)}, of: map[identity.PeerID]*Receiver{testkit.Peer(2): NewReceiver(func(trace.Span) { taken++ })}}
		f := NewForwarder(self, r)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			f.Run(ctx)
			close(done)
		}()
		for n := range 3 {
			add(f, 1)
			time.Sleep(sendEvery)
			synctest.Wait()
			require.Equal(t, n+1, taken)
		}
		cancel()
		<-done
	})
}
