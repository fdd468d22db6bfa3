package kernel

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// scriptedMesh is a fakeMesh some of whose nodes do something else with a job.
type scriptedMesh struct {
	*fakeMesh
	best   identity.PeerID
	script func(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (out mesh.JobOutcome, err error, acted bool)
}

func (c *scriptedMesh) RunJob(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	if c.script != nil {
		if out, err, acted := c.script(ctx, p, call, onProgress); acted {
			c.count("RunJob at " + string(p))
			return out, err
		}
	}
	return c.fakeMesh.RunJob(ctx, p, call, onProgress)
}

// at counts the jobs that p was handed and did something else with.
func (c *scriptedMesh) at(p identity.PeerID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls["RunJob at "+string(p)]
}

// newScriptedMesh makes n alike nodes, of which one, best, is nearer and cheaper.
func newScriptedMesh(n int) *scriptedMesh {
	c := &scriptedMesh{fakeMesh: newFakeMesh(randomPeers(rand.New(rand.NewPCG(8, 8)), n))}
	for i := range c.peers {
		c.peers[i].Profile.FreeSlots, c.peers[i].Profile.CreditCost = 4, 1000
		c.peers[i].Profile.Expires = time.Now().Add(59 * time.Minute)
		c.peers[i].RTT = 10 * time.Millisecond
	}
	c.peers[n/2].Profile.CreditCost, c.peers[n/2].RTT = 1, time.Millisecond
	c.best = c.peers[n/2].Profile.Peer
	return c
}

// answers makes p answer every job with code and reason.
func (c *scriptedMesh) answers(p identity.PeerID, code mesh.JobCode, reason string) {
	c.script = func(_ context.Context, at identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
		return mesh.JobOutcome{JobID: call.Job.ID, Node: at, Code: code, Reason: reason}, nil, at == p
	}
}

// hangs makes the nodes that p says keep every job until its end.
func (c *scriptedMesh) hangs(p func(identity.PeerID) bool) {
	c.script = func(ctx context.Context, at identity.PeerID, _ mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
		if !p(at) {
			return mesh.JobOutcome{}, nil, false
		}
		<-ctx.Done()
		return mesh.JobOutcome{Code: mesh.JobCancelled}, mesh.ContextError(ctx), true
	}
}

// The node that would be chosen first says no to everything, whatever the reason: no
// job fails for it, and it soon gets no more of them.
func TestARefusingNodeStopsNoJob(t *testing.T) {
	for _, c := range []struct {
		code mesh.JobCode
		most int // jobs that it gets of 100 at once
	}{
		{mesh.JobRejected, 1}, {mesh.JobCreditExhausted, 1}, {mesh.JobBadCapsule, 1},
		{mesh.JobDeadline, 1}, {mesh.JobFailed, 1}, {mesh.JobInternal, 1}, {mesh.JobCrashed, 1},
	} {
		t.Run(c.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newScriptedMesh(10)
				m.answers(m.best, c.code, "credit_line")
				k := startOn(t, m, nil)
				for range 100 {
					out, err := k.Dispatch(t.Context(), submission("x", nil))
					require.NoError(t, err)
					require.NotEqual(t, m.best, out.Node)
				}
				require.Equal(t, c.most, m.at(m.best))
			})
		})
	}
}

// What a node has refused and another has done it does not get again for a while; other
// jobs it does, and again later, and when there is nobody else.
func TestARefusalIsRememberedForItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(3)
		m.answers(m.best, mesh.JobRejected, "policy")
		gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{testkit.NamedLedger("payer"): 1_000_000, testkit.NamedLedger("another payer"): 1_000_000}})
		require.NoError(t, err)
		k := startOn(t, m, func(c *Config) { c.Gate = gate })
		other := func(s *Submission) { s.Job.Capsule = capsule.SumCID([]byte("another")).String() }
		dispatch := func(change func(*Submission)) (Outcome, error) {
			return k.Dispatch(t.Context(), submission("x", change))
		}
		for range 5 {
			_, err := dispatch(nil)
			require.NoError(t, err)
		}
		require.Equal(t, 1, m.at(m.best))
		out, err := dispatch(other)
		require.NoError(t, err)
		require.Len(t, out.Attempts, 2, "another capsule")
		out, err = dispatch(func(s *Submission) {
			s.Envelope.Metadata.CreditLedgerID = string(testkit.NamedLedger("another payer"))
		})
		require.NoError(t, err)
		require.Len(t, out.Attempts, 2, "another ledger")
		for i, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			time.Sleep(wait - time.Second)
			_, err = dispatch(nil)
			require.NoError(t, err)
			require.Equal(t, 3+i, m.at(m.best), "not yet")
			time.Sleep(time.Second)
			_, err = dispatch(nil)
			require.NoError(t, err)
			require.Equal(t, 4+i, m.at(m.best), "it is asked again")
		}
		m.script = nil // it has changed its mind
		var others []string
		for _, p := range m.peers {
			if p.Profile.Peer != m.best {
				others = append(others, string(p.Profile.Peer))
			}
		}
		out, err = dispatch(func(s *Submission) { s.Job.Requirements.Exclude = others })
		require.NoError(t, err, "there is nobody else")
		require.Equal(t, m.best, out.Node)
		out, err = dispatch(nil)
		require.NoError(t, err)
		require.Equal(t, m.best, out.Node, "it has done one: that is forgiven")
	})
}

// A crash is held against a node once another one has done the job.
func TestAContradictedCrashIsTheNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(4)
		m.answers(m.best, mesh.JobCrashed, "")
		k := startOn(t, m, nil)
		_, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.InDelta(t, 1, failuresOf(t, k, m.best), 0.1)
	})
}

// A job that went well clears a node on probation.
func TestASuccessEndsProbation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(4)
		m.script = func(_ context.Context, p identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
			return mesh.JobOutcome{Node: p, Output: call.Input, OutputCID: capsule.SumCID(call.Input).String(), Run: time.Second}, nil, true
		}
		k := startOn(t, m, nil)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			for range 3 {
				s.blame(m.best)
			}
		}))
		require.Equal(t, []identity.PeerID{m.best}, missing(t, k, scheduler.NeedTrust))
		time.Sleep(15 * time.Second)
		out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
			for _, p := range m.peers {
				if p.Profile.Peer != m.best {
					s.Job.Requirements.Exclude = append(s.Job.Requirements.Exclude, string(p.Profile.Peer))
				}
			}
		}))
		require.NoError(t, err)
		require.Equal(t, m.best, out.Node)
		require.Zero(t, failuresOf(t, k, m.best), "the probe went well")
	})
}

// A job that nobody else can have waits for the end of a quarantine, and not longer.
func TestTheEndOfAQuarantineIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(1)
		k := startOn(t, m, nil)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			for range 3 {
				s.blame(m.best)
			}
		}))
		// It looks again only when there is news.
		calm := newsOnlyMatchmaker(t, k)
		require.NoError(t, k.loop.ask(t.Context(), func(*state) { k.matchmaker = calm }))
		start := time.Now()
		_, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.InDelta(t, 10, time.Since(start).Seconds(), 1.5)
	})
}

// newsOnlyMatchmaker is a matchmaker for k that never looks again without news.
func newsOnlyMatchmaker(t *testing.T, k *Kernel) *matchmaker.Matchmaker {
	m, err := matchmaker.New(matchmaker.Config{Chooser: chooser{k}, Runner: runner{k}, Recheck: 24 * time.Hour})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return m
}

// noPayments is a Payments that cannot promise anything.
type noPayments struct{ countingPayments }

var errNoPayments = errors.New("broke")

func (*noPayments) Promise(governance.Admitted, identity.PeerID, Terms, time.Time) ([]byte, error) {
	return nil, errNoPayments
}

// What this node knows itself is final: its own Payments, its own capsules.
func TestWhatThisNodeKnowsIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startOn(t, newScriptedMesh(5), func(c *Config) { c.Payments = &noPayments{} })
		out, err := k.Dispatch(t.Context(), submission("x", nil))
		require.ErrorIs(t, err, errNoPayments)
		require.NotErrorIs(t, err, matchmaker.ErrAttempts)
		require.Len(t, out.Attempts, 1)

		for _, code := range []mesh.JobCode{mesh.JobRejected, mesh.JobCreditExhausted, mesh.JobBadCapsule, mesh.JobFailed} {
			err := finalLocal("n", mesh.JobOutcome{Code: code})
			var final matchmaker.Final
			require.ErrorAs(t, err, &final)
			require.True(t, final.Final())
			var said *matchmaker.JobError
			require.ErrorAs(t, err, &said)
		}
		for _, code := range []mesh.JobCode{mesh.JobOK, mesh.JobBusy, mesh.JobCrashed, mesh.JobDeadline} {
			require.NoError(t, finalLocal("n", mesh.JobOutcome{Code: code}))
		}
	})
}

// Hedging is for jobs that have a copy to spare, on other nodes.
func TestHedgeGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(3)
		k := startOn(t, m, func(c *Config) { c.Hedge = true })
		for range enoughAnswers {
			_, err := k.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
		}
		admitted := func(change func(*Submission)) *job {
			sub := submission("x", change)
			a, err := k.cfg.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: sub.Voucher}, time.Now())
			require.NoError(t, err)
			return &job{admitted: a}
		}
		there := matchmaker.Placement{Node: m.best}
		_, ok := k.hedge(admitted(nil), there)
		require.True(t, ok)
		_, ok = k.hedge(admitted(nil), matchmaker.Placement{Node: k.Self()})
		require.False(t, ok)
		_, ok = k.hedge(admitted(func(s *Submission) { s.Voucher = []byte("one") }), there)
		require.False(t, ok)
		_, ok = k.hedge(admitted(func(s *Submission) { s.Job.Replicas = 3 }), there)
		require.False(t, ok)
	})
}
