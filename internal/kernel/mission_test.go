package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// The three tests that the mission names. The second, on the watcher, is
// TestTenThousandEventsASecond in internal/threads/watcher; here it runs once
// more through a whole kernel.

// crowd is a mesh of peers that are only profiles: it does at once whatever job
// it is handed, and counts what it is asked.
type crowd struct {
	peers  []mesh.Peer
	events chan mesh.Event
	forger identity.PeerID // returns other bytes than it names

	mu    sync.Mutex
	calls map[string]int
	ran   []identity.PeerID
}

func newCrowd(peers []mesh.Peer) *crowd {
	return &crowd{peers: peers, events: make(chan mesh.Event), calls: make(map[string]int)}
}

func (c *crowd) count(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
}

func (c *crowd) Self() identity.PeerID { return peerOf("home") }
func (c *crowd) Addrs() []string       { return nil }
func (c *crowd) Peers() []mesh.Peer    { return c.peers }

func (c *crowd) Events() <-chan mesh.Event { return c.events }
func (c *crowd) Close() error              { return nil }

func (c *crowd) Connect(context.Context, string) (identity.PeerID, error) {
	return "", mesh.ErrUnreachable
}
func (c *crowd) Publish(context.Context, mesh.Profile) error { return nil }

func (c *crowd) Find(context.Context, string) ([]mesh.Profile, error) {
	c.count("Find")
	return nil, nil
}

func (c *crowd) Ping(_ context.Context, p identity.PeerID) (time.Duration, error) {
	for _, peer := range c.peers {
		if peer.Profile.Peer == p {
			return peer.RTT, nil
		}
	}
	return 0, mesh.ErrUnreachable
}

func (c *crowd) RunJob(_ context.Context, p identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error) {
	c.count("RunJob")
	c.mu.Lock()
	c.ran = append(c.ran, p)
	c.mu.Unlock()
	out := mesh.JobOutcome{JobID: call.Job.ID, Node: p, Output: call.Input, OutputCID: capsule.SumCID(call.Input).String()}
	if p == c.forger {
		out.Output = []byte("something else")
	}
	return out, nil
}

func (c *crowd) Command(context.Context, identity.PeerID, capsule.Command) (capsule.Reply, error) {
	c.count("Command")
	return capsule.Reply{}, mesh.ErrUnreachable
}

func (c *crowd) FetchCapsule(context.Context, identity.PeerID, capsule.CID) (mesh.Blob, error) {
	c.count("FetchCapsule")
	return mesh.Blob{}, mesh.ErrNotFound
}

var _ mesh.Mesh = (*crowd)(nil)

var crowdCapabilities = []string{"gpu", "simd", "threads", "realtime", "storage"}

// randomCrowd makes n peers with varied latencies, prices, places and
// capabilities.
func randomCrowd(rng *rand.Rand, n int) []mesh.Peer {
	peers := make([]mesh.Peer, n)
	for i := range peers {
		p := mesh.Profile{
			Peer: identity.PeerID(fmt.Sprintf("12D3KooWpeer%06d", i)), Kind: "native",
			GeoHash:    string("0123456789bcdefg"[rng.IntN(16)]) + string("0123456789bcdefg"[rng.IntN(16)]),
			CreditCost: 1 + rng.Uint64N(1000), FreeSlots: rng.Uint32N(5),
			Expires: time.Now().Add(time.Duration(20+rng.IntN(20)) * time.Minute), Sequence: 1,
		}
		for _, c := range crowdCapabilities {
			if rng.IntN(2) == 0 {
				p.Capabilities = append(p.Capabilities, c)
			}
		}
		rtt := time.Duration(1 + rng.Int64N(int64(400*time.Millisecond)))
		peers[i] = mesh.Peer{Profile: p, Connected: true, RTT: rtt}
	}
	return peers
}

func randomNeeds(rng *rand.Rand, peers []mesh.Peer) governance.Requirements {
	var r governance.Requirements
	for _, c := range crowdCapabilities {
		if rng.IntN(4) == 0 {
			r.Capabilities = append(r.Capabilities, c)
		}
	}
	if rng.IntN(3) == 0 {
		r.MaxCost = 1 + rng.Uint64N(500)
	}
	if rng.IntN(4) == 0 {
		r.GeoPrefix = peers[rng.IntN(len(peers))].Profile.GeoHash[:1+rng.IntN(2)]
	}
	for range rng.IntN(4) {
		r.Exclude = append(r.Exclude, string(peers[rng.IntN(len(peers))].Profile.Peer))
	}
	return r
}

// scan is the brute force: the highest score of contracts.md, section 4, among
// the peers that meet r, 0 when none does.
func scan(peers []mesh.Peer, r governance.Requirements, now time.Time) (best float64) {
	for _, p := range peers {
		if meets(p.Profile, r, now) {
			best = max(best, score(p))
		}
	}
	return best
}

func score(p mesh.Peer) float64 {
	return (1000 / max(float64(p.RTT)/float64(time.Millisecond), 0.1)) * (1 / float64(max(p.Profile.CreditCost, 1)))
}

func meets(p mesh.Profile, r governance.Requirements, now time.Time) bool {
	for _, c := range r.Capabilities {
		if !slices.Contains(p.Capabilities, c) {
			return false
		}
	}
	return p.FreeSlots > 0 && p.Expires.After(now) && strings.HasPrefix(p.GeoHash, r.GeoPrefix) &&
		(r.MaxCost == 0 || p.CreditCost <= r.MaxCost) && !slices.Contains(r.Exclude, string(p.Peer))
}

// Mission test 1: in 500 seeded meshes of 1,000 nodes, Dispatch always takes an
// optimal node, and says that nobody can run a job exactly when nobody can.
func TestMissionDispatchTakesTheOptimalNode(t *testing.T) {
	const meshes, size, jobs = 500, 1000, 8
	dispatched, nobody := 0, 0
	for seed := range uint64(meshes) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			peers := randomCrowd(rng, size)
			c := newCrowd(peers)
			k := startOn(t, c, nil)
			byID := make(map[identity.PeerID]mesh.Peer, size)
			for _, p := range peers {
				byID[p.Profile.Peer] = p
			}
			for j := range jobs {
				needs := randomNeeds(rng, peers)
				want := scan(peers, needs, time.Now())
				out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Requirements = needs }))
				if want == 0 {
					require.Error(t, err, "seed %d job %d: %+v", seed, j, needs)
					nobody++
					continue
				}
				require.NoError(t, err, "seed %d job %d: %+v", seed, j, needs)
				require.Equal(t, want, out.Score, "seed %d job %d: %+v", seed, j, needs)
				chosen := byID[out.Node]
				require.True(t, meets(chosen.Profile, needs, time.Now()), "seed %d job %d", seed, j)
				require.Equal(t, want, score(chosen), "seed %d job %d", seed, j)
				require.Equal(t, out.Node, c.ran[len(c.ran)-1], "it ran where the outcome says")
				require.Equal(t, size, out.Decision.Considered)
				dispatched++
			}
		})
	}
	t.Logf("%d meshes of %d nodes: %d jobs dispatched, each to an optimal node; %d that no node could run", meshes, size, dispatched, nobody)
}

// startOn runs a kernel without slots of its own on m, in a bubble, and returns
// when it has taken in m's peers.
func startOn(t *testing.T, m mesh.Mesh, change func(*Config)) *Kernel {
	gate, err := governance.New(governance.Config{Ledgers: purse{ledgerOf("payer"): 1_000_000}})
	require.NoError(t, err)
	cfg := Config{
		Self: peerOf("home"), Kind: "browser", Slots: -1, CreditCost: 1,
		Gate: gate, Capsules: &workshop{}, Blobs: &shelfOf{},
	}
	if change != nil {
		change(&cfg)
	}
	k, err := New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Run(ctx, m) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return k
}

// Mission test 2, through a whole kernel: 10,000 signals a second for 10 s, from
// the host and from capsules, while jobs are dispatched. No Signal waits, every one
// is accounted for, subscribers that read nothing hold up nobody, and mining stops
// and starts as it must.
func TestMissionTenThousandSignalsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 3))
		k := startOn(t, newCrowd(randomCrowd(rng, 100)), nil)
		_, cancelDeaf := k.Subscribe(1) // never read
		defer cancelDeaf()
		events, cancel := k.Subscribe(1 << 17)
		defer cancel()
		const total, perMilli = 100_000, 10
		sent, jobs := 0, 0
		for sent < total {
			for range perMilli {
				before := time.Now()
				require.NoError(t, k.Signal(randomSignal(rng)))
				require.Zero(t, time.Since(before))
				sent++
			}
			if sent%10_000 == 0 {
				_, err := k.Dispatch(t.Context(), submission("x", nil))
				require.NoError(t, err)
				jobs++
			}
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, k.Signal(watcherBattery(0.1)))
		synctest.Wait()
		st, err := k.Status(t.Context())
		require.NoError(t, err)
		require.False(t, st.Mining)
		require.NoError(t, k.Signal(watcherBattery(0.9)))
		time.Sleep(time.Minute) // the user is idle
		st, err = k.Status(t.Context())
		require.NoError(t, err)
		require.True(t, st.Mining)
		stats := k.watcher.Stats()
		require.EqualValues(t, total+2, stats.Put)
		require.Equal(t, stats.Put, stats.Taken+stats.Merged)
		require.Zero(t, stats.Refused)

		run, edges, ends := true, 0, 0
		for len(events) > 0 {
			switch e := (<-events).(type) {
			case MiningStart:
				require.False(t, edges > 0 && run, "edges only")
				run, edges = true, edges+1
			case MiningStop:
				require.True(t, run, "edges only")
				run, edges = false, edges+1
			case JobEnded:
				ends++
				require.NoError(t, e.Err)
			case Dropped:
				t.Fatalf("%d events lost by a subscriber with room", e.Count)
			}
		}
		require.True(t, run, "the last edge told is the state in force")
		require.Equal(t, jobs, ends)
		require.NotZero(t, st.Dropped, "the deaf subscriber's")
		t.Logf("%d signals, %d told, %d merged, %d edges of mining, %d events dropped for the deaf subscriber",
			stats.Put, stats.Taken, stats.Merged, edges, st.Dropped)
	})
}

// Mission test 3: a job without a valid creditLedgerId is rejected at once, and
// nothing downstream of governance ever sees it.
func TestMissionNoLedgerNoJob(t *testing.T) {
	bad := map[string]string{
		"":                                  "ledger_missing",
		"ledger:":                           "ledger_malformed",
		"ledger:12D3KooW":                   "ledger_malformed",
		string(ledgerOf("payer"))[7:]:       "ledger_malformed", // no prefix
		string(ledgerOf("payer")) + "x":     "ledger_malformed",
		"LEDGER:" + string(peerOf("payer")): "ledger_malformed",
		"ledger:" + strings.Repeat("1", 52): "ledger_malformed",
		strings.Repeat("ledger:", 10_000):   "ledger_malformed",
		string(ledgerOf("somebody else")):   "ledger_unknown",
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 4))
		c, work, pay := newCrowd(randomCrowd(rng, 100)), &workshop{}, &countingWallet{}
		k := startOn(t, c, func(cfg *Config) {
			cfg.Capsules, cfg.Wallet, cfg.Slots = work, pay, 4
			cfg.Capabilities = []string{"gpu"}
		})
		events, cancel := k.Subscribe(1024)
		defer cancel()
		for id, reason := range bad {
			sub := submission("x", func(s *Submission) { s.Envelope.Metadata.CreditLedgerID = id })
			before := time.Now()
			out, err := k.Dispatch(t.Context(), sub)
			require.Zero(t, time.Since(before), "at once")
			var rejection *governance.Rejection
			require.ErrorAs(t, err, &rejection, "%.80q", id)
			require.Equal(t, reason, rejection.Code, "%.80q", id)
			require.Equal(t, mesh.JobRejected, out.Code)
			require.Empty(t, out.Attempts)

			// The same from another node.
			fetched := 0
			served := k.HandleJob(t.Context(), peerOf("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input},
				func(context.Context, capsule.CID) (mesh.Blob, error) { fetched++; return testBlob(), nil }, nil)
			require.Equal(t, mesh.JobRejected, served.Code)
			require.Equal(t, reason, served.Reason)
			require.Zero(t, fetched, "no capsule travels for it")
		}
		synctest.Wait()
		for len(events) > 0 {
			require.IsType(t, JobRejected{}, <-events, "nothing else happened")
		}
		jobs, err := k.Jobs(t.Context())
		require.NoError(t, err)
		require.Empty(t, jobs, "the table never had it")
		require.Empty(t, c.calls, "the mesh was never asked")
		require.Zero(t, work.runs.Load(), "no capsule ran")
		require.Zero(t, pay.calls.Load(), "no money moved")
		st, err := k.Status(t.Context())
		require.NoError(t, err)
		require.Zero(t, st.Waiting)
		require.EqualValues(t, 2*len(bad), st.Rejected)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			require.Zero(t, s.ticket, "the scheduler placed nothing")
		}))

		// And a good one goes through, with the same parts.
		_, err = k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
	})
}
