package quorum

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

type ids = []identity.PeerID

// start runs the job on members until the test ends.
func start(t *testing.T, c *cluster, agree int, members, spares ids) (r *Run, runs *Runs) {
	t.Helper()
	life, stop := context.WithCancel(context.Background())
	runs = NewRuns(life)
	t.Cleanup(func() {
		stop()
		runs.Close()
	})
	r, err := c.run(len(members), agree, runs)
	require.NoError(t, err)
	require.True(t, r.Start(t.Context(), c.group(members, spares)))
	return r, runs
}

func TestRunPaysWhoAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", time.Second), "b": returns("x", 2*time.Second), "liar": returns("y", 0)})
		r, _ := start(t, c, 2, ids{"a", "b", "liar"}, nil)
		out, err := r.Wait()
		require.NoError(t, err)
		require.Equal(t, "x", out.OutputCID)
		require.EqualValues(t, 20, out.Cost, "what both that agree have cost")
		require.Equal(t, identity.PeerID("a"), r.Result().Placement.Node)
		require.Len(t, r.Result().Attempts, 3)
		synctest.Wait()
		require.Equal(t, map[identity.PeerID]int{"a": 1, "b": 1}, c.paid)
		require.Equal(t, map[identity.PeerID]int{"liar": 1}, c.refunded)
		require.Equal(t, ids{"liar"}, c.lied())
		require.Empty(t, c.taken)
	})
}

// The verdict does not wait for the last replica, and whoever waits for it cannot end that any
// more: it is paid like the others.
func TestRunOutlivesItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", 0), "b": returns("x", time.Second), "slow": returns("x", time.Minute)})
		life, stop := context.WithCancel(context.Background())
		runs := NewRuns(life)
		r, err := c.run(3, 2, runs)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		require.True(t, r.Start(ctx, c.group(ids{"a", "b", "slow"}, nil)))
		began := time.Now()
		out, err := r.Wait()
		require.NoError(t, err)
		require.EqualValues(t, 20, out.Cost)
		require.Equal(t, time.Second, time.Since(began))
		cancel()
		after := make(chan time.Duration, 1)
		r.AfterEnd(func() { after <- time.Since(began) })
		require.Equal(t, time.Minute, <-after)
		require.Equal(t, 1, c.paid["slow"])
		r.AfterEnd(func() { after <- time.Since(began) })
		require.Equal(t, time.Minute, <-after, "at once")
		stop()
		runs.Close()
		require.False(t, r.Start(t.Context(), c.group(ids{"a", "b", "slow"}, nil)), "closed")
	})
}

// A caller that gives up before the verdict ends every replica, and so does the kernel's end.
func TestRunEndsWithItsCaller(t *testing.T) {
	for _, name := range []string{"caller", "kernel"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", time.Hour), "b": returns("x", time.Hour)})
				ctx, cancel := context.WithCancel(t.Context())
				life, stop := context.WithCancel(context.Background())
				runs := NewRuns(life)
				r, err := c.run(2, 2, runs)
				require.NoError(t, err)
				require.True(t, r.Start(ctx, c.group(ids{"a", "b"}, nil)))
				require.Nil(t, r.Result())
				began := time.Now()
				time.AfterFunc(time.Second, map[string]func(){"caller": cancel, "kernel": stop}[name])
				_, err = r.Wait()
				require.ErrorIs(t, err, ErrDisputed)
				require.Equal(t, time.Second, time.Since(began))
				cancel()
				stop()
				runs.Close()
				require.Empty(t, c.taken)
				require.Empty(t, c.paid)
			})
		})
	}
}

// A dispute is final for the matchmaker, pays nobody and is held against nobody.
func TestDisputeIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", 0), "b": returns("y", time.Second)})
		r, _ := start(t, c, 2, ids{"a", "b"}, nil)
		_, err := r.Wait()
		require.ErrorIs(t, err, ErrDisputed)
		final, ok := err.(matchmaker.Final)
		require.True(t, ok && final.Final())
		synctest.Wait()
		require.Empty(t, c.paid)
		require.Equal(t, map[identity.PeerID]int{"a": 1, "b": 1}, c.refunded)
		require.Empty(t, c.ended)
	})
}

// A node that is busy or out of reach is replaced by a spare; one that was busy is a spare
// itself from then on.
func TestSparesStandIn(t *testing.T) {
	for _, row := range []struct {
		name   string
		member behaviour
		spares ids
		sent   map[identity.PeerID]int
	}{
		{"out of reach", breaks(mesh.ErrUnsent), ids{"s"}, map[identity.PeerID]int{"a": 1, "m": 1, "s": 1}},
		{"busy", fails(mesh.JobBusy, 0), ids{"s"}, map[identity.PeerID]int{"a": 1, "m": 1, "s": 1}},
		{"busy and then free", first(fails(mesh.JobBusy, 0), returns("x", 0)), nil, map[identity.PeerID]int{"a": 1, "m": 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", 0), "m": row.member, "s": returns("x", 0)})
				r, _ := start(t, c, 2, ids{"a", "m"}, row.spares)
				out, err := r.Wait()
				require.NoError(t, err)
				require.Equal(t, "x", out.OutputCID)
				synctest.Wait()
				require.Equal(t, row.sent, c.sent)
				require.Empty(t, c.taken)
			})
		})
	}
}

// A replica without an output is not paid, whatever it claims; a bill for more time than went
// by is a lie, and of the others those that say nothing else count as failures.
func TestOutvotedReplica(t *testing.T) {
	for _, row := range []struct {
		name   string
		member behaviour
		lied   ids
		failed map[identity.PeerID]bool
	}{
		{"bill for more time than went by", fails(mesh.JobCrashed, 1000), ids{"m"}, map[identity.PeerID]bool{}},
		{"crash", fails(mesh.JobCrashed, 1), nil, map[identity.PeerID]bool{"m": true}},
		{"budget used up", fails(mesh.JobCreditExhausted, 1), nil, map[identity.PeerID]bool{"m": true}},
		{"deadline", fails(mesh.JobDeadline, 1), nil, map[identity.PeerID]bool{}},
		{"refusal", fails(mesh.JobRejected, 0), nil, map[identity.PeerID]bool{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", time.Second), "b": returns("x", time.Second), "m": row.member})
				r, _ := start(t, c, 2, ids{"a", "b", "m"}, nil)
				out, err := r.Wait()
				require.NoError(t, err)
				require.EqualValues(t, 20, out.Cost)
				synctest.Wait()
				require.Equal(t, map[identity.PeerID]int{"a": 1, "b": 1}, c.paid)
				require.Equal(t, map[identity.PeerID]int{"m": 1}, c.refunded)
				require.Equal(t, row.lied, c.lied())
				require.Equal(t, row.failed, c.failed)
				require.Empty(t, c.contradicted, "it is among the attempts of the verdict")
			})
		})
	}
}

// One that fails after the others have agreed is not among the verdict's attempts: it is
// recorded then.
func TestFailureAfterTheVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := func(ctx context.Context, _ int) (mesh.JobOutcome, error) {
			time.Sleep(time.Minute)
			return mesh.JobOutcome{}, mesh.ErrUnreachable
		}
		c := newCluster(map[identity.PeerID]behaviour{"a": returns("x", 0), "b": returns("x", 0), "m": lost})
		r, runs := start(t, c, 2, ids{"a", "b", "m"}, nil)
		_, err := r.Wait()
		require.NoError(t, err)
		require.Len(t, r.Result().Attempts, 2)
		runs.Close()
		require.Equal(t, map[identity.PeerID]bool{"m": true}, c.contradicted)
	})
}

// inBubble hides Deadline, which must not be asked for in a synctest bubble.
type inBubble struct{ rapid.TB }

// Whatever the nodes answer: every slot comes back, every promise is settled once, and nobody
// is paid but for the output that enough agree on.
func TestRunProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			n := rapid.IntRange(1, 7).Draw(t, "replicas")
			agree := rapid.IntRange(n/2+1, n).Draw(t, "agree")
			took := rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second})
			nodes, returned := map[identity.PeerID]behaviour{}, map[identity.PeerID]string{}
			one := func(id identity.PeerID) {
				switch kind := rapid.SampledFrom([]string{"x", "y", "crash", "lie", "reject", "lost", "unsent", "busy"}).Draw(t, string(id)); kind {
				case "x", "y":
					nodes[id], returned[id] = returns(kind, took.Draw(t, "took")), kind
				case "crash":
					nodes[id] = fails(mesh.JobCrashed, 1)
				case "lie":
					nodes[id] = fails(mesh.JobCrashed, 10_000)
				case "reject":
					nodes[id] = fails(mesh.JobRejected, 0)
				case "lost":
					nodes[id] = breaks(mesh.ErrUnreachable)
				case "unsent":
					nodes[id] = breaks(mesh.ErrUnsent)
				case "busy":
					nodes[id], returned[id] = first(fails(mesh.JobBusy, 0), returns("x", took.Draw(t, "took"))), "x"
				}
			}
			var members, spares ids
			for i := range n {
				members = append(members, identity.PeerID(fmt.Sprint("m", i)))
				one(members[i])
			}
			for i := range rapid.IntRange(0, 3).Draw(t, "spares") {
				spares = append(spares, identity.PeerID(fmt.Sprint("s", i)))
				one(spares[i])
			}
			c := newCluster(nodes)
			runs := NewRuns(context.Background())
			r, err := c.run(n, agree, runs)
			require.NoError(t, err)
			require.True(t, r.Start(context.Background(), c.group(members, spares)))
			out, err := r.Wait()
			runs.Close()
			require.Empty(t, c.taken, "a slot did not come back")
			require.Empty(t, c.doubled, "a slot came back twice")
			for id, promised := range c.promises {
				require.Equal(t, promised, c.paid[id]+c.refunded[id], id)
			}
			if err != nil {
				require.ErrorIs(t, err, ErrDisputed)
				require.Empty(t, c.paid)
				require.Empty(t, c.lied())
				return
			}
			require.GreaterOrEqual(t, len(c.paid), agree)
			require.GreaterOrEqual(t, out.Cost, uint64(10*agree))
			for id := range c.paid {
				require.Equal(t, out.OutputCID, returned[id])
			}
		})
	})
}
