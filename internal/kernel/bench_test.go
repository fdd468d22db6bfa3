package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/scheduler"
	"inos/internal/testkit"
	"inos/internal/testkit/blobs"
	"inos/internal/threads/matchmaker"
)

// placing is a kernel that knows n nodes, whose loop does not run, and a job that is in
// its table.
func placing(t testing.TB, n int, needs ...string) (*state, []matchmaker.Waiting) {
	gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{testkit.NamedLedger("payer"): 1_000_000}})
	require.NoError(t, err)
	k, err := New(Config{Self: testkit.NamedPeer("home"), Kind: "browser", Slots: -1, CreditCost: 1, Gate: gate, Capsules: &fakeCapsules{}, Blobs: &blobs.Store{}})
	require.NoError(t, err)
	s := k.loop.state
	for _, p := range randomPeers(rand.New(rand.NewPCG(1, 2)), n) {
		s.nodes.Hear(p.Profile, time.Now())
		s.nodes.Measured(p.Profile.Peer, p.RTT)
	}
	sub := submission("x", func(s *Submission) { s.Job.Requirements.Capabilities = needs })
	a, err := gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, time.Now())
	require.NoError(t, err)
	return s, []matchmaker.Waiting{{Ctx: context.Background(), Job: &job{admitted: a, sub: &sub, info: JobInfo{ID: sub.Job.ID}}, Attempt: 1}}
}

// putBack returns what the last placement took.
func (s *state) putBack(p matchmaker.Placement) {
	s.nodes.GiveBack([]matchmaker.Placement{p}, time.Now())
}

// BenchmarkPlace is the kernel's whole decision about one job, on its loop: the choice,
// its description, the slot set aside and given back, and the event.
func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{30, 1_000, 100_000} {
		for _, needs := range [][]string{nil, {"gpu", "simd"}} {
			name := "any"
			if needs != nil {
				name = "caps"
			}
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				s, jobs := placing(b, n, needs...)
				out := make([]matchmaker.Choice, 1)
				s.choose(jobs, out, time.Now()) // money is out with a stranger
				b.ReportAllocs()
				for b.Loop() {
					s.choose(jobs, out, time.Now())
					if out[0].Err != nil {
						b.Fatal(out[0].Err)
					}
					s.putBack(out[0].Placement)
				}
			})
		}
	}
}

// What a decision among few nodes counts and names costs a bounded number of allocations.
func TestAllocationsOfADecision(t *testing.T) {
	for most, needs := range map[float64][]string{30: nil, 41: {"gpu", "simd"}} {
		s, jobs := placing(t, 30, needs...)
		out := make([]matchmaker.Choice, 1)
		s.choose(jobs, out, time.Now()) // money is out with a stranger
		require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
			s.choose(jobs, out, time.Now())
			require.NoError(t, out[0].Err)
			s.putBack(out[0].Placement)
		}), most, "%v", needs)
	}
}

// A placement among many nodes, or one that finds all of them busy, describes as much
// as it can afford: never all nodes.
func TestAPlacementDoesNotLookAtAllNodes(t *testing.T) {
	allocations := func(n int, busy bool) float64 {
		s, jobs := placing(t, n)
		if busy {
			var best [1]scheduler.Choice
			for {
				n, err := s.nodes.TopK(scheduler.Request{JobID: "j"}, time.Now(), best[:])
				require.NoError(t, err)
				if n == 0 {
					break
				}
				require.True(t, s.nodes.Reserve(&matchmaker.Placement{Node: best[0].Node.ID}, "", time.Now()))
			}
		}
		out := make([]matchmaker.Choice, 1)
		return testing.AllocsPerRun(20, func() {
			s.choose(jobs, out, time.Now())
			require.Equal(t, busy, out[0].Err != nil)
			if busy {
				require.ErrorIs(t, out[0].Err, matchmaker.ErrBusy)
				return
			}
			s.putBack(out[0].Placement)
		})
	}
	few, many := allocations(100, false), allocations(5000, false)
	require.InDelta(t, few, many, 3)
	require.Less(t, many, 20.0)
	require.Less(t, allocations(20, true), 12.0, "and among few, nothing is explained to a job that waits")
}
