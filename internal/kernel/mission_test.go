package kernel

import (
	"context"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/watcher"
)

// The three tests that the mission names. The second, on the watcher, is
// TestTenThousandEventsASecond in internal/threads/watcher; here it runs once
// more through a whole kernel.

// Mission test 1: in 500 seeded meshes of 1,000 nodes, Dispatch always takes an
// optimal node, and says that nobody can run a job exactly when nobody can.
func TestMissionDispatchTakesTheOptimalNode(t *testing.T) {
	const meshes, size, jobs = 500, 1000, 8
	dispatched, nobody := 0, 0
	for seed := range uint64(meshes) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			peers := randomPeers(rng, size)
			c := newFakeMesh(peers)
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

// Mission test 2, through a whole kernel: 10,000 signals a second for 10 s, from
// the host and from capsules, while jobs are dispatched. No Signal waits, every one
// is accounted for, every jam and end of a capsule is told, to the event, subscribers
// that read nothing hold up nobody, and mining stops and starts as it must.
func TestMissionTenThousandSignalsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 3))
		k := startOn(t, newFakeMesh(randomPeers(rng, 100)), nil)
		_, cancelDeaf := k.Subscribe(1) // never read
		defer cancelDeaf()
		events, cancel := k.Subscribe(1 << 17)
		defer cancel()
		const total, perMilli = 100_000, 10
		sent, jobs := 0, 0
		jams, deaths := uint64(0), uint64(0)
		jammed := make(map[string]bool)
		for sent < total {
			for range perMilli {
				signal := randomSignal(rng)
				before := time.Now()
				require.NoError(t, k.Signal(signal))
				require.Zero(t, time.Since(before))
				sent++
				switch s := signal.(type) {
				case watcher.Heartbeat:
					if s.Congested && !jammed[s.CapsuleID] {
						jams++
					}
					jammed[s.CapsuleID] = s.Congested
				case watcher.Ended:
					deaths++
					jammed[s.CapsuleID] = false
				}
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
			case CapsuleChanged:
				jams -= e.Capsule.Jams
				deaths -= e.Capsule.Ends
			case Dropped:
				t.Fatalf("%d events lost by a subscriber with room", e.Count)
			}
		}
		require.True(t, run, "the last edge told is the state in force")
		require.Equal(t, jobs, ends)
		require.Zero(t, jams, "jams not told, or told too often")
		require.Zero(t, deaths, "ends not told, or told too often")
		require.NotZero(t, st.Dropped, "the deaf subscriber's")
		t.Logf("%d signals, %d told, %d merged, %d edges of mining, %d events dropped for the deaf subscriber",
			stats.Put, stats.Taken, stats.Merged, edges, st.Dropped)
	})
}

// Mission test 3: a job without a valid creditLedgerId is rejected at once, and
// nothing downstream of governance ever sees it.
func TestMissionNoLedgerNoJob(t *testing.T) {
	bad := map[string]string{
		"":                                       "ledger_missing",
		"ledger:":                                "ledger_malformed",
		"ledger:12D3KooW":                        "ledger_malformed",
		string(testkit.NamedLedger("payer"))[7:]: "ledger_malformed", // no prefix
		string(testkit.NamedLedger("payer")) + "x":     "ledger_malformed",
		"LEDGER:" + string(testkit.NamedPeer("payer")): "ledger_malformed",
		"ledger:" + strings.Repeat("1", 52):            "ledger_malformed",
		strings.Repeat("ledger:", 10_000):              "ledger_malformed",
		string(testkit.NamedLedger("somebody else")):   "ledger_unknown",
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 4))
		c, work, pay, blobs := newFakeMesh(randomPeers(rng, 100)), &fakeCapsules{}, &countingPayments{}, &countingBlobs{}
		k := startOn(t, c, func(cfg *Config) {
			cfg.Capsules, cfg.Payments, cfg.Slots, cfg.Blobs = work, pay, 4, blobs
			cfg.Capabilities = []string{"gpu"}
		})
		time.Sleep(2 * time.Second) // the node has said that it is there
		calls := maps.Clone(c.calls)
		require.Equal(t, map[string]int{"Publish": 1}, calls)
		sequence := func() (n uint64) {
			require.NoError(t, k.loop.ask(t.Context(), func(s *state) { n = s.nodes.Sequence() }))
			return n
		}
		began := sequence()
		events, cancel := k.Subscribe(1024)
		defer cancel()
		for id, reason := range bad {
			sub := submission("x", func(s *Submission) {
				s.Envelope.Metadata.CreditLedgerID = id
				s.Job.Requirements.Capabilities = []string{"gpu"} // this node has it, and others
				if len(id)%2 == 0 {
					s.Job.Requirements.Capabilities = []string{"what nobody has"}
				}
			})
			before := time.Now()
			out, err := k.Dispatch(t.Context(), sub)
			require.Zero(t, time.Since(before), "at once")
			var rejection *governance.Rejection
			require.ErrorAs(t, err, &rejection, "%.80q", id)
			require.Equal(t, reason, rejection.Code, "%.80q", id)
			require.Equal(t, mesh.JobRejected, out.Code)
			require.Empty(t, out.Attempts)

			// The same from another node.
			fetched, read := 0, 0
			call := mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job,
				Body: func(context.Context) ([]byte, error) { read++; return sub.Input, nil }}
			served := k.HandleJob(t.Context(), testkit.NamedPeer("other"), call,
				func(context.Context, mesh.FetchCall) (mesh.Blob, error) { fetched++; return testBlob(), nil }, nil)
			require.Equal(t, mesh.JobRejected, served.Code)
			require.Equal(t, reason, served.Reason)
			require.Zero(t, fetched, "no capsule travels for it")
			require.Zero(t, read, "no input travels for it")

			var spans []string
			for _, s := range k.Trace(sub.Job.ID) {
				spans = append(spans, s.Name)
			}
			require.ElementsMatch(t, []string{"dispatch", "admit", "serve", "admit"}, spans, "that it was asked and not admitted, and no more")
		}
		time.Sleep(2 * time.Second) // long enough to publish what has changed
		for len(events) > 0 {
			require.IsType(t, JobRejected{}, <-events, "nothing else happened")
		}
		jobs, err := k.Jobs(t.Context())
		require.NoError(t, err)
		require.Empty(t, jobs, "the table never had it")
		require.Equal(t, calls, c.calls, "the mesh was never asked, and there was nothing to publish")
		require.Zero(t, blobs.calls.Load(), "no capsule was looked for")
		require.Zero(t, work.runs.Load(), "no capsule ran")
		require.Zero(t, pay.calls.Load(), "no money moved")
		st, err := k.Status(t.Context())
		require.NoError(t, err)
		require.Zero(t, st.Waiting)
		require.EqualValues(t, 2*len(bad), st.Rejected)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			require.Zero(t, s.nodes.Placed(), "the scheduler placed nothing")
			require.Equal(t, began, s.nodes.Sequence(), "no slot was taken and given back")
		}))

		// And a good one goes through, with the same parts.
		_, err = k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
	})
}
