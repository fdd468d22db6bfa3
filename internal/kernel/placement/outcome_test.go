package placement

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// What one attempt shows by itself: a node's own fault counts, what may be the job's or this
// side's fault suspends it for jobs of the kind, and what never reached it does neither.
func TestWhatAnAttemptShows(t *testing.T) {
	const long, short = 2 * time.Second, suspectAfter / 2
	node := func(code mesh.JobCode) func() (mesh.JobOutcome, error) {
		return func() (mesh.JobOutcome, error) { return said("a", code) }
	}
	failed := func(errs ...error) func() (mesh.JobOutcome, error) {
		return func() (mesh.JobOutcome, error) {
			err := errs[0]
			for _, e := range errs[1:] {
				err = fmt.Errorf("%w: %w", err, e)
			}
			return mesh.JobOutcome{}, err
		}
	}
	for _, c := range []struct {
		name                      string
		took                      time.Duration
		end                       func() (mesh.JobOutcome, error)
		fails, suspends, unreachs bool
		full                      bool
	}{
		{name: "done", took: long, end: func() (mesh.JobOutcome, error) { return mesh.JobOutcome{}, nil }},
		{name: "wrong result", took: long, end: failed(mesh.ErrResult), fails: true},
		{name: "protocol broken", took: long, end: failed(mesh.ErrProtocol), fails: true},
		{name: "wrong signature", took: long, end: failed(mesh.ErrSignature), fails: true},
		{name: "rejected", end: node(mesh.JobRejected), suspends: true},
		{name: "failed", end: node(mesh.JobFailed), suspends: true},
		{name: "crashed", end: node(mesh.JobCrashed), suspends: true},
		{name: "internal", end: node(mesh.JobInternal), suspends: true},
		{name: "bad capsule", end: node(mesh.JobBadCapsule), suspends: true},
		{name: "no capsule", end: node(mesh.JobUnknownCapsule), suspends: true},
		{name: "no credit", end: node(mesh.JobCreditExhausted), suspends: true},
		{name: "out of time", took: long, end: node(mesh.JobDeadline), suspends: true},
		{name: "out of the little time there was", took: short, end: node(mesh.JobDeadline)},
		{name: "silent", took: long, end: failed(matchmaker.ErrSilent), suspends: true},
		{name: "timeout", took: long, end: failed(mesh.ErrTimeout), suspends: true},
		{name: "lost with the job", took: long, end: failed(mesh.ErrUnreachable), suspends: true, unreachs: true},
		{name: "lost on a lossy path", took: long, end: failed(mesh.ErrUnreachable, mesh.ErrLossy), unreachs: true},
		{name: "not sent", end: failed(mesh.ErrUnsent, mesh.ErrUnreachable), unreachs: true},
		{name: "not sent, nothing to do with the way", end: failed(mesh.ErrUnsent, mesh.ErrEncode)},
		{name: "outrun", took: long, end: failed(matchmaker.ErrOutrun, mesh.ErrTimeout)},
		{name: "to be sent again", took: long, end: failed(matchmaker.ErrRepeat)},
		{name: "cancelled", took: long, end: node(mesh.JobCancelled)},
		{name: "busy", end: node(mesh.JobBusy), full: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newFixture(t, nil)
			r.meet("a")
			out, err := c.end()
			require.Equal(t, identity.PeerID("a"), r.run("capsule", c.took, out, err))
			require.Zero(t, r.Placed())
			require.Equal(t, 1, r.effects.offers[0].released)
			require.Equal(t, c.fails, r.failures("a") > 0.9)
			require.Equal(t, c.suspends, len(r.suspect.of(r.job("capsule", nil).admitted, r.now)) == 1)
			require.Empty(t, r.suspect.of(r.job("another", nil).admitted, r.now), "other jobs it gets")
			require.Empty(t, r.refused.of(r.job("capsule", nil).admitted, r.now), "no other node has done it")
			info, known := r.Info("a", r.now)
			require.True(t, known)
			require.Equal(t, c.unreachs, slices.Contains(info.Missing, scheduler.NeedReach))
			require.Equal(t, c.full, slices.Contains(info.Missing, scheduler.NeedSlot))
		})
	}
}

// What another node's success shows: which node is suspended for jobs of the kind, and which
// has failed.
func TestWhatASuccessElsewhereShows(t *testing.T) {
	said := func(code mesh.JobCode) error { return &matchmaker.JobError{Node: "a", Code: code} }
	for _, c := range []struct {
		name            string
		err             error
		billed          bool
		suspends, fails bool
		reputation      bool // it suffers
	}{
		{name: "rejected", err: said(mesh.JobRejected), suspends: true},
		{name: "rejected, and billed", err: said(mesh.JobRejected), billed: true, suspends: true, fails: true},
		{name: "no credit, and billed", err: said(mesh.JobCreditExhausted), billed: true, suspends: true},
		{name: "crashed", err: said(mesh.JobCrashed), suspends: true, fails: true},
		{name: "internal", err: said(mesh.JobInternal), suspends: true, fails: true, reputation: true},
		{name: "failed", err: said(mesh.JobFailed), suspends: true, fails: true, reputation: true},
		{name: "out of time", err: said(mesh.JobDeadline), suspends: true, fails: true, reputation: true},
		{name: "silent", err: matchmaker.ErrSilent, suspends: true, fails: true, reputation: true},
		{name: "timeout", err: mesh.ErrTimeout, suspends: true, fails: true, reputation: true},
		{name: "lost", err: mesh.ErrUnreachable, suspends: true, fails: true, reputation: true},
		{name: "lost on a lossy path", err: fmt.Errorf("%w: %w", mesh.ErrUnreachable, mesh.ErrLossy), suspends: true},
		{name: "not sent", err: fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)},
		{name: "outrun", err: fmt.Errorf("%w: %w", matchmaker.ErrOutrun, mesh.ErrTimeout)},
		{name: "wrong result, which has counted", err: mesh.ErrResult},
		{name: "the attempt that has done it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reputation := credit.NewReputation(credit.ReputationConfig{})
			r := newFixture(t, func(c *Config) { c.Reputation = reputation })
			r.meet("a", "b")
			asked := r.job("capsule", nil).admitted
			r.JobDone(KindOf(asked), "b", []matchmaker.Attempt{{Node: "a", Err: c.err, Cost: cost(c.billed)}}, r.now)
			require.Equal(t, c.suspends, len(r.refused.of(asked, r.now)) == 1)
			require.Equal(t, c.fails, r.failures("a") > 0.9)
			require.Equal(t, c.reputation, reputation.Factor("a", r.now) < 1)
			require.Zero(t, r.failures("b"))
			r.JobDone(KindOf(asked), "a", nil, r.now)
			require.Empty(t, r.refused.of(asked, r.now), "it has done one: that is forgiven")
		})
	}
}

func cost(billed bool) uint64 {
	if billed {
		return 1
	}
	return 0
}

// A node that fails with three capsules has failed, whatever other nodes do; one that does a job
// in between has not, and neither has one that fails with one capsule however often.
func TestFailuresWithSeveralCapsules(t *testing.T) {
	for _, c := range []struct {
		capsules []string // "done" does it
		failed   bool
	}{
		{[]string{"1", "2", "3"}, true},
		{[]string{"1", "1", "1", "2", "2"}, false},
		{[]string{"1", "2", "done", "3"}, false},
		{[]string{"1", "2", "done", "3", "4", "5"}, true},
	} {
		reputation := credit.NewReputation(credit.ReputationConfig{})
		r := newFixture(t, func(c *Config) { c.Reputation = reputation })
		r.meet("a")
		for _, capsule := range c.capsules {
			out, err := said("a", mesh.JobInternal)
			if capsule == "done" {
				out, err = mesh.JobOutcome{}, nil
			}
			r.run(capsule, 0, out, err)
		}
		require.Equal(t, c.failed, r.failures("a") > 0.5, "%q", c.capsules)
		require.Equal(t, c.failed, reputation.Factor("a", r.now) < 1, "%q", c.capsules)
	}
}

// A success enters the mean of the node's run times, clears a node on probation and ends its
// suspension for jobs of the kind.
func TestASuccessClears(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("a")
	out, err := said("a", mesh.JobCrashed)
	r.run("capsule", 0, out, err)
	for range 3 {
		r.run("another", 0, mesh.JobOutcome{}, mesh.ErrProtocol)
	}
	info, _ := r.Info("a", r.now)
	require.Contains(t, info.Missing, scheduler.NeedTrust)
	kicks := r.effects.kicks
	r.pass(9 * time.Second)
	require.Equal(t, kicks, r.effects.kicks)
	r.pass(2 * time.Second)
	require.Greater(t, r.effects.kicks, kicks, "the end of a quarantine is news")
	r.run("capsule", time.Second, mesh.JobOutcome{Run: 7 * time.Second}, nil)
	require.Zero(t, r.failures("a"))
	n, _ := r.index.Node("a")
	require.Equal(t, 7*time.Second, n.Service)
	require.Empty(t, r.suspect.by)
	took, enough := r.AnswerTime("a")
	require.False(t, enough, "%v of one answer", took)
}

// What goes to the reputation at once.
func TestDeedOf(t *testing.T) {
	for _, c := range []struct {
		out     mesh.JobOutcome
		err     error
		givenUp bool
		deed    credit.Deed
		ok      bool
	}{
		{ok: true, deed: credit.DeedDone},
		{givenUp: true},
		{out: mesh.JobOutcome{Code: mesh.JobCrashed}},
		{err: mesh.ErrResult, deed: credit.DeedDisagree, ok: true},
		{err: mesh.ErrResult, givenUp: true, deed: credit.DeedDisagree, ok: true},
		{err: mesh.ErrProtocol, deed: credit.DeedFailed, ok: true},
		{err: mesh.ErrProtocol, givenUp: true},
		{err: fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrProtocol)},
		{err: mesh.ErrUnreachable},
	} {
		deed, ok := DeedOf(c.out, c.err, c.givenUp)
		require.Equal(t, c.ok, ok, "%+v", c)
		if ok {
			require.Equal(t, c.deed, deed, "%+v", c)
		}
	}
}

func TestP95(t *testing.T) {
	var d Durations
	for i := range 100 {
		_, ok := d.P95()
		require.Equal(t, i >= enoughDurations, ok)
		d.Add(time.Duration(1+i%20) * time.Millisecond)
	}
	got, ok := d.P95()
	require.True(t, ok)
	require.GreaterOrEqual(t, got, 19*time.Millisecond)
}
