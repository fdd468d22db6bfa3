package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// slowMesh is a mesh whose dials take their time, whatever their context says, and whose
// peers answer no ping.
type slowMesh struct {
	*fakeMesh
	dial    time.Duration
	dialing atomic.Int64
	most    atomic.Int64
}

func (d *slowMesh) Connect(context.Context, string) (identity.PeerID, error) {
	d.most.Store(max(d.most.Load(), d.dialing.Add(1)))
	defer d.dialing.Add(-1)
	time.Sleep(d.dial)
	return "", mesh.ErrUnreachable
}

func (d *slowMesh) Ping(context.Context, identity.PeerID) (time.Duration, error) {
	return 0, mesh.ErrUnreachable
}

func TestDialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowMesh{fakeMesh: newFakeMesh(nil), dial: time.Second}
		k := startOn(t, d, nil)
		began := time.Now()
		require.ErrorIs(t, k.Join(t.Context(), d, make([]string, 5*dialsAtOnce)), ErrBootstrap)
		require.EqualValues(t, 4, d.most.Load())
		require.Equal(t, 5*time.Second, time.Since(began), "and no fewer")
	})
}

// slowReplica does not end when it is told to.
type slowReplica struct{ replicas }

func (slowReplica) Replicate(context.Context, matchmaker.Placement) (out mesh.JobOutcome, promised bool, err error) {
	time.Sleep(time.Hour)
	return out, false, nil
}

func (slowReplica) Done(matchmaker.Placement, mesh.JobOutcome, error) {}

// Run returns when nothing of the kernel's is under way any more: no dial, and no replica
// of a job.
func TestRunWaitsForWhatItStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(begin func(*Kernel, *slowMesh)) time.Duration {
			d := &slowMesh{fakeMesh: newFakeMesh(nil), dial: time.Minute}
			k, err := New(startOn(t, nil, nil).cfg)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = k.Run(ctx, d) }()
			begin(k, d)
			synctest.Wait()
			cancel()
			began := time.Now()
			<-ended
			return time.Since(began)
		}
		require.Zero(t, run(func(*Kernel, *slowMesh) {}))
		require.Equal(t, time.Minute, run(func(k *Kernel, d *slowMesh) {
			go func() { _ = k.Join(t.Context(), d, []string{"somewhere"}) }()
		}))
		require.Equal(t, time.Hour, run(func(k *Kernel, _ *slowMesh) {
			late := slowReplica{replicas{k: k}}
			r, err := quorum.New(quorum.Config{Replicas: 1, Agree: 1, Nodes: late, Payer: late, Outcomes: late, Runs: k.quorumRuns})
			require.NoError(t, err)
			require.True(t, r.Start(t.Context(), quorum.Group{Members: make([]matchmaker.Placement, 1)}))
		}))
	})
}

// Three pings in a row without an answer, and a node is forgotten, long before its
// profile expires; one answer between them starts the count anew.
func TestThreeMissedPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mesh.Profile{Peer: testkit.NamedPeer("mute"), CreditCost: 1, FreeSlots: 1, Expires: time.Now().Add(time.Hour), Sequence: 1}
		d := &slowMesh{fakeMesh: newFakeMesh([]mesh.Peer{{Profile: p}})}
		k := startOn(t, d, func(c *Config) { c.PingEvery = 10 * time.Second })
		events, cancel := k.Subscribe(64)
		defer cancel()
		known := func() bool {
			_, ok := infoOf(t, k, p.Peer)
			return ok
		}
		time.Sleep(21 * time.Second) // two rounds
		require.True(t, known())
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) { s.nodes.Measured(p.Peer, time.Millisecond) }))
		time.Sleep(20 * time.Second)
		require.True(t, known(), "two more")
		require.Empty(t, namesOf(events, "node:gone"))
		time.Sleep(10 * time.Second)
		require.False(t, known())
		require.Len(t, namesOf(events, "node:gone"), 1)
	})
}

// Whatever a subscriber reads, and when: events and the numbers of those it missed
// add up to all there were, and a Dropped stands where they would have.
func TestDroppedEventsAreCounted(t *testing.T) {
	k := &Kernel{hub: hub{direct: func(Event) {}, sinks: make(map[*sink]struct{})}}
	events, cancel := k.Subscribe(4)
	defer cancel()
	name := func(i int) Event { return JobRejected{JobID: fmt.Sprint(i)} }
	next := 0
	take := func() {
		switch e := (<-events).(type) {
		case Dropped:
			require.NotZero(t, e.Count)
			next += int(e.Count)
		default:
			require.Equal(t, name(next), e)
			next++
		}
	}
	for i := range 9 {
		k.emit(name(i))
	}
	for range 4 {
		take()
	}
	require.Empty(t, events)
	k.emit(name(9))
	require.Equal(t, Dropped{Count: 5}, <-events)
	next = 9
	rng := rand.New(rand.NewPCG(1, 5))
	sent := 10
	for range 10_000 {
		if rng.IntN(3) > 0 {
			k.emit(name(sent))
			sent++
		} else if len(events) > 0 {
			take()
		}
	}
	for len(events) > 0 {
		take()
	}
	k.emit(name(sent))
	for len(events) > 0 {
		take()
	}
	require.Equal(t, sent+1, next)
}

// No more than so many capabilities are looked up at a time, or remembered.
func TestLookupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f finder
		c := newFakeMesh(nil)
		open := make([]*lookup, findAtMost)
		for i := range open {
			l, mine := f.join(fmt.Sprint(i))
			require.True(t, mine)
			open[i] = l
		}
		require.Nil(t, f.find(t.Context(), c, "one more"))
		require.Empty(t, c.calls, "nobody is asked")
		same, mine := f.join("7")
		require.False(t, mine)
		require.Same(t, open[7], same, "those under way serve all who want them")

		open[7].ended = time.Now()
		close(open[7].done)
		require.Nil(t, f.find(t.Context(), c, "one more"))
		require.Empty(t, c.calls, "it may still serve")
		time.Sleep(placement.LookupInterval + 1)
		f.find(t.Context(), c, "one more")
		require.Equal(t, 1, c.calls["Find"])
		require.Len(t, f.lookups, findAtMost)
	})
}

// A capsule is asked for at a few peers, and at others the next time.
func TestFetchesAskOthersEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeMesh(randomPeers(rand.New(rand.NewPCG(1, 6)), 40))
		k := startOn(t, c, nil)
		asked := map[identity.PeerID]bool{}
		for range 20 {
			c.fetched = nil
			call, _ := k.modules.FetchCall(t.Context(), testBlob().Manifest.CID)
			_, err := k.fetchFromPeers(t.Context(), call)
			require.ErrorIs(t, err, mesh.ErrNotFound)
			require.Len(t, c.fetched, fetchFromAtMost)
			for _, p := range c.fetched {
				asked[p] = true
			}
		}
		require.Greater(t, len(asked), 2*fetchFromAtMost)
	})
}

// A node does not start with what no job could ask it for.
func TestCapabilitiesAreWords(t *testing.T) {
	c := Config{Self: "n", Gate: new(governance.Gate), Capsules: Supervised(nil), Blobs: struct{ lifecycle.Blobs }{}, Capabilities: []string{"storage", "GPU"}}
	_, err := c.withDefaults()
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorIs(t, err, capsule.ErrCapability)
	c.Capabilities = c.Capabilities[:1]
	_, err = c.withDefaults()
	require.NoError(t, err)
}
