package kernel

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/quorum"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// wrongOutputCapsules does the work and returns something else.
type wrongOutputCapsules struct{ *fakeCapsules }

func (l wrongOutputCapsules) Run(ctx context.Context, cid capsule.CID, limits Limits, t capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	out, err := l.fakeCapsules.Run(ctx, cid, limits, t, onProgress)
	if err == nil {
		out = append(out, '!')
	}
	return out, err
}

// replicaNodes are nodes w0, w1, ...; the last lies of them return wrong outputs.
func replicaNodes(w *world, home *member, n, lies int) []*member {
	var all []*member
	for i := range n {
		m := w.start(fmt.Sprintf("w%d", i), func(c *Config) {
			c.Payments = &countingPayments{}
			if i >= n-lies {
				c.Capsules = wrongOutputCapsules{&fakeCapsules{}}
			}
		})
		w.meet(home, m)
		all = append(all, m)
	}
	time.Sleep(time.Second)
	return all
}

func replicated(n, agree uint8, work string) func(*Submission) {
	return func(s *Submission) {
		s.Job.Replicas, s.Job.Agree, s.Job.Args = n, agree, []string{work}
	}
}

func TestAgreementPaysWhoAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		payer, seen := &countingPayments{}, credit.NewReputation(credit.ReputationConfig{})
		home := w.start("home", func(c *Config) { c.Slots, c.Payments, c.Reputation = -1, payer, seen })
		require.NoError(t, home.blobs.Accept(testBlob()))
		replicaNodes(w, home, 3, 1)
		out, err := home.Dispatch(t.Context(), submission("x", replicated(3, 2, "1s")))
		require.NoError(t, err)
		require.Equal(t, capsule.SumCID(out.Output).String(), out.OutputCID)
		require.Len(t, out.Output, 32, "the liar's is longer")
		require.NotEqual(t, testkit.NamedPeer("w2"), out.Node)
		synctest.Wait()
		require.EqualValues(t, 3, payer.promised.Load())
		require.EqualValues(t, 2, payer.paid.Load())
		require.EqualValues(t, 1, payer.withdrawn.Load())
		honest, _ := seen.Of(testkit.NamedPeer("w0"), time.Now())
		lying, _ := seen.Of(testkit.NamedPeer("w2"), time.Now())
		require.Greater(t, honest, 0.5)
		require.Less(t, lying, 0.25)

		// Its score has fallen with it.
		time.Sleep(11 * time.Second) // its next profile
		nodes, err := home.Nodes(t.Context())
		require.NoError(t, err)
		scores := map[identity.PeerID]float64{}
		for _, n := range nodes {
			scores[n.Profile.Peer] = n.Score
		}
		require.Less(t, scores[testkit.NamedPeer("w2")], scores[testkit.NamedPeer("w0")])
		st, err := home.Status(t.Context())
		require.NoError(t, err)
		require.Zero(t, st.Running, "every slot is back")
	})
}

func TestDisputePaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		payer, seen := &countingPayments{}, credit.NewReputation(credit.ReputationConfig{})
		home := w.start("home", func(c *Config) { c.Slots, c.Payments, c.Reputation = -1, payer, seen })
		require.NoError(t, home.blobs.Accept(testBlob()))
		replicaNodes(w, home, 2, 1)
		out, err := home.Dispatch(t.Context(), submission("x", replicated(2, 2, "1s")))
		require.ErrorIs(t, err, quorum.ErrDisputed)
		require.Empty(t, out.Output)
		synctest.Wait()
		require.Zero(t, payer.paid.Load())
		require.EqualValues(t, 2, payer.withdrawn.Load())
		score, _ := seen.Of(testkit.NamedPeer("w1"), time.Now())
		require.Equal(t, 0.5, score, "nobody can tell which of the two lied")
	})
}

func TestTooFewNodesForTheCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		replicaNodes(w, home, 2, 0)
		_, err := home.Dispatch(t.Context(), submission("x", replicated(3, 0, "0s")))
		require.ErrorIs(t, err, quorum.ErrReplicas)
		_, err = home.Dispatch(t.Context(), submission("x", replicated(3, 1, "0s")))
		require.ErrorIs(t, err, governance.ErrJobMalformed, "one of three is no majority")
	})
}

// A node that is lost while it works is replaced by nobody, and two of three still
// agree; the caller that gives up cancels all.
func TestAgreementOutlivesALostNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		payer := &countingPayments{}
		home := w.start("home", func(c *Config) { c.Slots, c.Payments = -1, payer })
		require.NoError(t, home.blobs.Accept(testBlob()))
		all := replicaNodes(w, home, 3, 0)
		time.AfterFunc(500*time.Millisecond, func() { w.net.SetDown(all[0].Self(), true) })
		out, err := home.Dispatch(t.Context(), submission("x", replicated(3, 2, "1s")))
		require.NoError(t, err)
		require.NotEqual(t, all[0].Self(), out.Node)
		synctest.Wait()
		require.EqualValues(t, 2, payer.paid.Load())
		require.Zero(t, payer.withdrawn.Load(), "the lost node may have earned it: that hold waits")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = home.Dispatch(ctx, submission("x", replicated(2, 2, "10s")))
		require.ErrorIs(t, err, matchmaker.ErrDeadline)
		synctest.Wait()
		require.Zero(t, all[1].capsules.running.Load()+all[2].capsules.running.Load())
	})
}

func ranOn(out Outcome) map[identity.PeerID]bool {
	nodes := map[identity.PeerID]bool{}
	for _, a := range out.Attempts {
		nodes[a.Node] = true
	}
	return nodes
}

// A job on several nodes waits a while for nodes that are only just arriving.
func TestAgreementWaitsForNodesToBeHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		replicaNodes(w, home, 1, 0)
		var late sync.WaitGroup
		defer late.Wait()
		late.Go(func() {
			time.Sleep(2 * time.Second)
			w.meet(home, w.start("late", func(c *Config) { c.Payments = &countingPayments{} }))
		})
		out, err := home.Dispatch(t.Context(), submission("", replicated(2, 2, "1s")))
		require.NoError(t, err)
		require.Len(t, ranOn(out), 2)
	})
}

// Two nodes that one owner vouches for never both vote, not even in place of one that
// was lost.
func TestAgreementTakesOneNodeOfAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		for i, owner := range []identity.PeerID{"fleet", "fleet", "fleet", ""} {
			w.meet(home, w.start(fmt.Sprintf("w%d", i), func(c *Config) { c.Owner = owner }))
		}
		time.Sleep(time.Second)
		for range 8 { // whichever of the fleet comes first
			out, err := home.Dispatch(t.Context(), submission("", replicated(2, 2, "1s")))
			require.NoError(t, err)
			require.Len(t, out.Attempts, 2)
			require.True(t, ranOn(out)[testkit.NamedPeer("w3")], "the only one that is not the fleet's")
		}
		_, err := home.Dispatch(t.Context(), submission("", replicated(3, 2, "1s")))
		require.ErrorIs(t, err, quorum.ErrReplicas)
		w.net.SetDown(testkit.NamedPeer("w3"), true)
		out, err := home.Dispatch(t.Context(), submission("", replicated(2, 2, "1s")))
		require.Error(t, err)
		require.LessOrEqual(t, len(ranOn(out)), 2)
	})
}

// A job on several nodes waits its turn as every other, until all its nodes are free
// at once, and counts against the same bound.
func TestAgreementWaitsInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots, c.Jobs = -1, 1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		for i := range 2 {
			w.meet(home, w.start(fmt.Sprintf("w%d", i), func(c *Config) { c.Slots = 1 }))
		}
		time.Sleep(time.Second)
		var jobs sync.WaitGroup
		defer jobs.Wait()
		jobs.Go(func() {
			_, err := home.Dispatch(t.Context(), submission("", replicated(1, 0, "10s")))
			require.NoError(t, err)
		})
		synctest.Wait()
		started := time.Now()
		jobs.Go(func() {
			out, err := home.Dispatch(t.Context(), submission("", replicated(2, 2, "1s")))
			require.NoError(t, err)
			require.GreaterOrEqual(t, time.Since(started), 10*time.Second)
			require.Len(t, ranOn(out), 2)
		})
		synctest.Wait()
		st, err := home.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, st.Running, "no slot is kept for a job that waits for another")
		_, err = home.Dispatch(t.Context(), submission("", replicated(2, 2, "1s")))
		require.ErrorIs(t, err, matchmaker.ErrQueueFull)
		// One that nobody waits for any more leaves the queue.
		jobs.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		jobs.Go(func() { _, _ = home.Dispatch(t.Context(), submission("", replicated(1, 0, "10s"))) })
		synctest.Wait()
		time.AfterFunc(time.Second, cancel)
		_, err = home.Dispatch(ctx, submission("", replicated(2, 2, "1s")))
		require.ErrorIs(t, err, matchmaker.ErrCancelled)
	})
}
