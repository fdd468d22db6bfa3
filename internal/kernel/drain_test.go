package kernel

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// A node that drains takes nothing new, finishes what ends in time, gives the rest back
// to callers that place it elsewhere, and withdraws its profile.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		old := w.start("old", func(c *Config) { c.Slots, c.CreditCost = 4, 1 }) // the best of the two
		other := w.start("other", func(c *Config) { c.Slots, c.CreditCost = 4, 100 })
		for _, m := range []*member{home, old, other} {
			require.NoError(t, m.blobs.Accept(testBlob()))
		}
		w.meet(home, old)
		w.meet(home, other)
		w.meet(old, other)
		time.Sleep(20 * time.Second)

		type end struct {
			out Outcome
			err error
		}
		ended := make(chan end, 8)
		dispatch := func(work string) {
			go func() {
				out, err := home.Dispatch(context.Background(), submission("x", func(s *Submission) {
					s.Job.Args, s.Job.Deadline = []string{work}, time.Now().Add(5*time.Minute)
				}))
				ended <- end{out, err}
			}()
		}
		for _, work := range []string{"10s", "40s", "45s"} {
			dispatch(work)
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 3, old.capsules.running.Load())
		events, unsubscribe := old.Subscribe(64)
		defer unsubscribe()

		limit, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		drained := make(chan Drained, 1)
		go func() {
			d, err := old.Drain(limit)
			if err != nil {
				panic(err)
			}
			drained <- d
		}()
		time.Sleep(time.Second)
		n, ok := infoOf(t, home.Kernel, old.Self())
		require.True(t, ok)
		require.Zero(t, n.Profile.FreeSlots, "it says so")
		sub := submission("x", nil)
		busy := old.HandleJob(t.Context(), testkit.NamedPeer("stranger"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input}, nil, func(mesh.Progress) {})
		require.Equal(t, mesh.JobBusy, busy.Code, "whoever has not heard of it")
		require.Equal(t, lifecycle.ErrDraining.Code(), busy.Reason)
		env := home.Message(t.Context(), mesh.CommandType, governance.Metadata{})
		r := old.HandleCommand(t.Context(), home.Self(), mesh.CommandCall{Envelope: env, Command: capsule.Command{ID: "1", Type: capsule.Spawn,
			Spawn: &capsule.SpawnParams{CID: capsule.SumCID(testWasm).String()}}})
		require.NotEqual(t, capsule.OK, r.Code)
		dispatch("1s")
		time.Sleep(2 * time.Second)
		e := <-ended
		require.NoError(t, e.err)
		require.Equal(t, other.Self(), e.out.Node, "new work goes elsewhere")

		require.Equal(t, Drained{Finished: 1, HandedBack: 2}, <-drained)
		require.Zero(t, old.capsules.running.Load())
		where := make(map[identity.PeerID]int)
		for range 3 {
			e := <-ended
			require.NoError(t, e.err, "no caller is told of it")
			where[e.out.Node]++
			require.Len(t, e.out.Attempts, 1+boolToInt(e.out.Node == other.Self()))
		}
		require.Equal(t, map[identity.PeerID]int{old.Self(): 1, other.Self(): 2}, where)
		for _, got := range namesOf(events, "job:rejected") {
			t.Errorf("%v: giving back is no rejection", got)
		}

		require.NoError(t, old.Leave(t.Context()))
		time.Sleep(5 * time.Second)
		_, ok = infoOf(t, home.Kernel, old.Self())
		require.False(t, ok, "its profile has expired, long before its time")
		time.Sleep(30 * time.Second)
		_, ok = infoOf(t, home.Kernel, old.Self())
		require.False(t, ok, "and it publishes no more")
	})
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Who has nothing to do has drained at once; a node's own jobs are waited for, and left
// where they are when the time is over.
func TestDrainOfOwnJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, limit := range []time.Duration{time.Minute, time.Second} {
			n := w.start(fmt.Sprint("n", limit), nil)
			require.NoError(t, n.blobs.Accept(testBlob()))
			go func() {
				_, _ = n.Dispatch(context.Background(), submission("x", func(s *Submission) { s.Job.Args = []string{"10s"} }))
			}()
			time.Sleep(time.Second)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			d, err := n.Drain(ctx)
			cancel()
			require.NoError(t, err)
			require.Zero(t, d.Finished+d.HandedBack)
			if limit == time.Minute {
				require.Equal(t, 9*time.Second, time.Since(began))
				require.Zero(t, d.Own)
			} else {
				require.Equal(t, time.Second, time.Since(began))
				require.Equal(t, 1, d.Own)
			}
			n.stop()
		}
		idle := w.start("idle", nil)
		began := time.Now()
		d, err := idle.Drain(t.Context())
		require.NoError(t, err)
		require.Zero(t, d)
		require.Zero(t, time.Since(began))
		idle.stop()
		require.ErrorIs(t, idle.Leave(context.Background()), ErrStopped)
	})
}
