//go:build !js

package p2p

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"inos/internal/clock/clocktest"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// wrongClocks is how far one clock is ahead of all others.
var wrongClocks = []time.Duration{20 * time.Second, -20 * time.Second, 100 * time.Second, -100 * time.Second, time.Hour, -time.Hour,
	48 * time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour}

// listener is a worker that says how a job looks to it.
type listener struct {
	*worker
	heard  chan mesh.JobCall
	called chan time.Duration // how old the envelopes of calls looked
}

func listen() *listener {
	return &listener{newWorker(), make(chan mesh.JobCall, 8), make(chan time.Duration, 8)}
}

func (l *listener) HandleCall(_ context.Context, _ identity.PeerID, call mesh.CapsuleCall, _ func(mesh.Progress)) mesh.JobOutcome {
	l.called <- time.Since(call.Envelope.Timestamp)
	return mesh.JobOutcome{}
}

func (l *listener) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, report func(mesh.Progress)) mesh.JobOutcome {
	l.heard <- call
	return l.worker.HandleJob(ctx, from, call, fetch, report)
}

// Three nodes, of which one has a wrong clock, and is connected to one of the others only:
// profiles live as long as they say, on every node and heard over others; jobs have the
// time that is left; each knows what the other's clock says, also after it has been set.
func TestClocksDiffer(t *testing.T) {
	for i, off := range wrongClocks {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			wall := clocktest.New(off)
			hub := listen()
			b := start(t, 600+4*i, func(c *Config) { c.Handler = hub })
			wrong := listen()
			a := start(t, 601+4*i, func(c *Config) { c.Now = wall.Now; c.Handler = wrong }, b)
			far := start(t, 602+4*i, nil, b)
			for _, n := range []*node{a, far} {
				until(t, n, connected(b))
			}
			require.Eventually(t, func() bool { return len(b.gossip.listeners()) == 2 }, 30*time.Second, 10*time.Millisecond)
			tell := func(n *node, now func() time.Time) uint64 {
				p := profile("gpu")
				p.Expires = now().Add(30 * time.Second)
				require.NoError(t, n.Publish(t.Context(), p))
				_, ok := n.profiles.fresh(n.Self())
				require.True(t, ok)
				return n.Sequence()
			}
			// hears waits until n hears a new profile of of's, which publishes now and then, and
			// looks at how long it is good.
			hears := func(n, of *node, now func() time.Time) {
				first, next := uint64(0), time.Time{}
				require.Eventually(t, func() bool {
					if time.Since(next) > 0 {
						next = time.Now().Add(500 * time.Millisecond)
						if s := tell(of, now); first == 0 {
							first = s
						}
					}
					p, ok := n.profiles.fresh(of.Self())
					return ok && p.Sequence >= first
				}, 30*time.Second, 5*time.Millisecond, "%s of %s", n.Self(), of.Self())
				p, _ := n.profiles.get(of.Self())
				left := time.Until(p.Expires) // by the monotonic clock
				require.Positive(t, left)
				require.LessOrEqual(t, left, 30*time.Second)
			}
			round := func(off time.Duration) {
				hears(b, a, wall.Now)
				hears(a, far, time.Now)
				if off.Abs() < mesh.MaxProfileRelay {
					hears(far, a, wall.Now)
				}
				// What they know of each other's clock.
				require.Eventually(t, func() bool {
					_, err := a.Ping(t.Context(), b.Self())
					require.NoError(t, err)
					_, err = b.Ping(t.Context(), a.Self())
					require.NoError(t, err)
					return (a.ahead(b.Self())+off).Abs() < time.Second && (b.ahead(a.Self())-off).Abs() < time.Second
				}, 30*time.Second, 5*time.Millisecond)
				require.True(t, a.Peers()[0].Clock.Known())

				// Jobs, both ways, with a deadline that the wrong clock tells.
				for _, way := range []struct {
					from, to *node
					at       func() time.Time
					heard    chan mesh.JobCall
					ahead    time.Duration
					called   chan time.Duration
				}{{a, b, wall.Now, hub.heard, off, hub.called}, {b, a, time.Now, wrong.heard, -off, wrong.called}} {
					jc := call("upper", []byte("x"))
					jc.Job.Deadline = way.at().Add(8 * time.Second)
					jc.Envelope.Timestamp = way.at()
					_, err := way.from.RunJob(t.Context(), way.to.Self(), jc, nil)
					require.NoError(t, err)
					got := <-way.heard
					left := time.Until(got.Job.Deadline)
					require.Positive(t, left)
					require.LessOrEqual(t, left, 8*time.Second)
					require.InDelta(t, float64(way.ahead), float64(got.Ahead), float64(5*time.Second))
					require.Less(t, time.Since(got.Envelope.Timestamp).Abs(), 10*time.Second)

					_, err = way.from.Call(t.Context(), way.to.Self(), mesh.CapsuleCall{Envelope: jc.Envelope, Capsule: "x"}, nil)
					require.NoError(t, err)
					require.Less(t, (<-way.called).Abs(), 10*time.Second)
				}
			}
			round(off)
			// It is set right, and wrong the other way, while the node runs.
			for _, jump := range []time.Duration{0, -off} {
				if a.cfg.Now().Year() > 2090 {
					jump = max(jump, 0) // the other way lies before the epoch
				}
				wall.Set(jump)
				round(jump)
			}
		})
	}
}

// A profile that has been kept and is sent round again is refused: for as long as its
// sequence number is remembered, and three days after it was signed at the latest.
func TestReplayedProfiles(t *testing.T) {
	wall := clocktest.New(0)
	signed := func(issued time.Time, life time.Duration) []byte {
		return signedProfile(t, 1, testkit.Key(1), func(p *mesh.Profile) { p.Issued, p.Expires = issued, issued.Add(life) })
	}
	b := newProfileStore(wall.Now)
	old := signed(wall.Now(), 30*time.Second)
	p, err := b.add(old, "")
	require.NoError(t, err)
	_, err = b.add(old, "")
	require.ErrorIs(t, err, errStale)
	require.LessOrEqual(t, time.Until(p.Expires), 30*time.Second)

	// On a node that has never heard of it, it counts from when it is heard. Whether the clock
	// of its node is wrong or the profile old cannot be told.
	b = newProfileStore(wall.Now)
	wall.Set(48 * time.Hour)
	p, err = b.add(old, "")
	require.NoError(t, err)
	require.LessOrEqual(t, time.Until(p.Expires), 30*time.Second)
	b = newProfileStore(wall.Now)
	for _, off := range []time.Duration{73 * time.Hour, -73 * time.Hour} {
		wall.Set(off)
		_, err = b.add(old, "")
		require.ErrorIs(t, err, mesh.ErrTime)
		// Its node itself may give it: then it is no replay, and its clock is wrong.
		_, err = newProfileStore(wall.Now).add(old, testkit.Peer(1))
		require.NoError(t, err)
	}
	// Where its node's clock has been measured, it can be told, to a minute.
	b.from = func(identity.PeerID, time.Time) mesh.Source {
		return mesh.Source{Ahead: -73 * time.Hour, Measured: true}
	}
	wall.Set(73*time.Hour + 50*time.Second)
	_, err = b.add(old, "")
	require.NoError(t, err)
	b = &profileStore{now: wall.Now, size: profileStoreSize, entries: map[identity.PeerID]profileEntry{}, from: b.from}
	wall.Set(73*time.Hour + 91*time.Second)
	_, err = b.add(old, "")
	require.ErrorIs(t, err, mesh.ErrTime)

	// Nobody may say that it is good for longer than an hour.
	for _, life := range []time.Duration{time.Hour + time.Second, 0, -time.Second} {
		_, err = newProfileStore(time.Now).add(signed(time.Now(), life), "")
		require.ErrorIs(t, err, mesh.ErrProfile)
	}
}

// A node whose clock was a day ahead, or in the year 2100, and is right after a restart is
// heard at once.
func TestSequenceGoesOn(t *testing.T) {
	for i, off := range []time.Duration{24 * time.Hour, 74 * 365 * 24 * time.Hour} {
		wall := clocktest.New(off)
		b := start(t, 650+2*i, nil)
		open := func(sequence uint64) *node {
			n := start(t, 651+2*i, func(c *Config) { c.Now, c.Sequence = wall.Now, sequence }, b)
			until(t, n, connected(b))
			require.NoError(t, n.Publish(t.Context(), profile("gpu")))
			return n
		}
		a := open(0)
		require.Eventually(t, func() bool { p, ok := b.profiles.fresh(a.Self()); return ok && p.Sequence == a.Sequence() }, 30*time.Second, 5*time.Millisecond)
		last := a.Sequence()
		require.NoError(t, a.Close())
		wall.Set(0)
		a = open(last)
		require.Greater(t, a.Sequence(), last)
		require.Eventually(t, func() bool { p, ok := b.profiles.fresh(a.Self()); return ok && p.Sequence > last }, 30*time.Second, 5*time.Millisecond)
	}
}

// A node that does not speak of clocks, as those of before: it is measured by libp2p's
// ping, and its profile is good until its expiry.
func TestNodesThatDoNotSpeakOfClocks(t *testing.T) {
	a := start(t, 660, nil)
	b := start(t, 661, nil, a)
	until(t, b, connected(a))
	a.host.RemoveStreamHandler(ClockProtocol)
	require.Eventually(t, func() bool {
		speaks, _ := b.host.Peerstore().FirstSupportedProtocol(a.id, ClockProtocol)
		return speaks == protocol.ID("")
	}, 30*time.Second, 5*time.Millisecond)
	rtt, err := b.Ping(t.Context(), a.Self())
	require.NoError(t, err)
	require.Positive(t, rtt)
	require.False(t, b.Peers()[0].Clock.Known())

	_, err = b.profiles.add(signedProfile(t, 662, testkit.Key(662), nil), "")
	require.NoError(t, err)
	p, ok := b.profiles.fresh(testkit.Peer(662))
	require.True(t, ok)
	require.LessOrEqual(t, time.Until(p.Expires), time.Minute)

	// Its envelope says nothing of when it was sent: its clock counts as this node's.
	env, err := wire.EncodeEnvelope(call("x", nil).Envelope)
	require.NoError(t, err)
	e, ahead, err := b.received(a.Self(), env)
	require.NoError(t, err)
	require.Zero(t, ahead)
	require.Equal(t, time.Unix(1, 0).Unix(), e.Timestamp.Unix())
}

// A machine sleeps for ten minutes: its monotonic clock has stopped, its other clock has
// not, its connections are dead and the others have forgotten it. It comes back by itself.
func TestMachineAsleep(t *testing.T) {
	for i, sleeper := range []string{"who dials", "who is dialled"} {
		t.Run(sleeper, func(t *testing.T) {
			wall := clocktest.New(0)
			heard := listen()
			change := func(here string) func(*Config) {
				return func(c *Config) {
					if c.Handler = heard; here == sleeper {
						c.Now = wall.Now
					}
				}
			}
			b := start(t, 670+2*i, change("who is dialled"))
			a := start(t, 671+2*i, change("who dials"), b)
			until(t, a, connected(b))
			for _, n := range []*node{a, b} {
				require.NoError(t, n.Publish(t.Context(), profile("gpu")))
			}
			require.Eventually(t, func() bool {
				_, ofB := a.profiles.fresh(b.Self())
				_, ofA := b.profiles.fresh(a.Self())
				return ofA && ofB && a.peers.clock(b.id).Known() && b.peers.clock(a.id).Known()
			}, 30*time.Second, 5*time.Millisecond)

			wall.Set(10 * time.Minute)
			b.profiles.mu.Lock()
			clear(b.profiles.entries)
			b.profiles.mu.Unlock()
			require.NoError(t, b.host.Network().ClosePeer(a.id))
			until(t, a, connected(b)) // again
			require.Eventually(t, func() bool {
				// As kernels do: what fails comes again.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for _, n := range []*node{a, b} {
					p := profile("gpu")
					p.Expires = n.cfg.Now().Add(30 * time.Second)
					_ = n.Publish(ctx, p)
				}
				_, _ = a.Ping(ctx, b.Self())
				_, _ = b.Ping(ctx, a.Self())
				_, ofB := a.profiles.fresh(b.Self())
				_, ofA := b.profiles.fresh(a.Self())
				off := 10 * time.Minute
				if sleeper == "who dials" {
					off = -off
				}
				return ofA && ofB && (a.ahead(b.Self())-off).Abs() < time.Second
			}, 30*time.Second, 50*time.Millisecond)
			jc := call("upper", []byte("x"))
			jc.Job.Deadline = a.cfg.Now().Add(8 * time.Second)
			_, err := a.RunJob(t.Context(), b.Self(), jc, nil)
			require.NoError(t, err)
			left := time.Until((<-heard.heard).Job.Deadline)
			require.Positive(t, left)
			require.LessOrEqual(t, left, 8*time.Second)
		})
	}
}
