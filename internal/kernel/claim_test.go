package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/testkit"
)

// ends is what a peer answers that claims to have been ended after took.
func ends(code mesh.JobCode, cost uint64, took time.Duration) func(context.Context, mesh.JobCall) (mesh.JobOutcome, error) {
	return func(_ context.Context, call mesh.JobCall) (mesh.JobOutcome, error) {
		time.Sleep(took)
		return mesh.JobOutcome{JobID: call.Job.ID, Code: code, Cost: cost, Receipt: []byte("receipt")}, nil
	}
}

// peersOf are connected peers with one slot each, at 1 microcredit a second.
func peersOf(names ...string) (peers []mesh.Peer) {
	for _, n := range names {
		peers = append(peers, mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
			Peer: testkit.NamedPeer(n), CreditCost: 1, FreeSlots: 1, Expires: time.Now().Add(time.Hour), Sequence: 1,
		}})
	}
	return peers
}

// Of several nodes only those are paid that gave the output agreed on: a node without
// one gets nothing for what it claims, and has not gained a better name.
func TestOutvotedClaimIsNotPaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(context.Context, mesh.JobCall) (mesh.JobOutcome, error)
		budget uint64
		below  float64 // the reputation
	}{
		{"its budget used up at once", ends(mesh.JobCreditExhausted, 1000, 0), 1000, 0.25},
		{"the node's own budget used up at once", ends(mesh.JobCreditExhausted, 1000, 0), 0, 0.25},
		{"used up", ends(mesh.JobCreditExhausted, 3, 3*time.Second), 3, 0.5},
		{"crashed", ends(mesh.JobCrashed, 1, time.Second), 0, 0.5},
		{"late", ends(mesh.JobDeadline, 1, time.Second), 0, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newFakeMesh(peersOf("a", "b", "cheat"))
				m.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){testkit.NamedPeer("cheat"): c.answer}
				pay, seen := &countingPayments{}, credit.NewReputation(credit.ReputationConfig{})
				k := startOn(t, m, func(cfg *Config) { cfg.Payments, cfg.Reputation = pay, seen })
				sub := submission("x", replicated(3, 2, ""))
				sub.Job.Budget = c.budget
				_, err := k.Dispatch(t.Context(), sub)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				require.EqualValues(t, 2, pay.paid.Load())
				require.EqualValues(t, 1, pay.withdrawn.Load())
				score, _ := seen.Of(testkit.NamedPeer("cheat"), time.Now())
				require.Less(t, score, c.below)
			})
		})
	}
}

// Nobody is paid for a disputed job, not even who claims to have run out of money.
func TestDisputedClaimIsNotPaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMesh(peersOf("a", "b", "c"))
		used := ends(mesh.JobCreditExhausted, 3, 3*time.Second)
		m.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){testkit.NamedPeer("a"): used, testkit.NamedPeer("b"): used}
		pay, seen := &countingPayments{}, credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(cfg *Config) { cfg.Payments, cfg.Reputation = pay, seen })
		_, err := k.Dispatch(t.Context(), submission("x", replicated(3, 2, "")))
		require.ErrorIs(t, err, quorum.ErrDisputed)
		time.Sleep(time.Minute)
		require.Zero(t, pay.paid.Load())
		require.EqualValues(t, 3, pay.withdrawn.Load())
		score, _ := seen.Of(testkit.NamedPeer("a"), time.Now())
		require.Equal(t, 0.5, score)
	})
}

// A budget is not used up before its time: whoever says so is not paid, and another
// node is tried.
func TestBudgetUsedUpTooSoonIsALie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMesh(peersOf("cheat", "honest"))
		m.peers[1].RTT = time.Second
		m.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){
			testkit.NamedPeer("cheat"): ends(mesh.JobCreditExhausted, 100, 10*time.Second)}
		pay, seen := &countingPayments{}, credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(cfg *Config) { cfg.Payments, cfg.Reputation = pay, seen })
		out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Budget = 100 }))
		require.NoError(t, err)
		require.Equal(t, testkit.NamedPeer("honest"), out.Node)
		require.EqualValues(t, 1, pay.paid.Load())
		require.EqualValues(t, 1, pay.withdrawn.Load())
		lying, _ := seen.Of(testkit.NamedPeer("cheat"), time.Now())
		honest, _ := seen.Of(testkit.NamedPeer("honest"), time.Now())
		require.Less(t, lying, 0.25)
		require.Greater(t, honest, 0.5, "a job done is noted")
	})
}

// A node is judged by its receipt, not by what this node's own ledger cannot write: the
// result stands and the hold waits. A receipt that will never be paid takes the promise
// back.
func TestOnlyABadReceiptIsTheNodesFault(t *testing.T) {
	for _, c := range []struct {
		refusal error
		bad     bool
	}{
		{credit.ErrBusy, false}, {credit.ErrFailed, false}, {credit.ErrHoldSettled, false}, {credit.ErrHoldRefunded, false},
		{credit.ErrReceiptMismatch, true}, {credit.ErrReceiptForged, true}, {credit.ErrReceiptUnknown, true}, {credit.ErrReceiptMalformed, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMesh(peersOf("node"))
			pay, seen := &countingPayments{refusal: fmt.Errorf("payment: %w", c.refusal)}, credit.NewReputation(credit.ReputationConfig{})
			k := startOn(t, m, func(cfg *Config) { cfg.Payments, cfg.Reputation, cfg.Attempts = pay, seen, 1 })
			out, err := k.Dispatch(t.Context(), submission("x", nil))
			score, _ := seen.Of(testkit.NamedPeer("node"), time.Now())
			if c.bad {
				require.ErrorIs(t, err, mesh.ErrResult)
				require.EqualValues(t, 1, pay.withdrawn.Load(), "%v", c.refusal)
				require.Less(t, score, 0.25)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "x", string(out.Output))
			require.Empty(t, out.Receipt, "which says that it has been paid")
			require.Zero(t, pay.withdrawn.Load(), "%v", c.refusal)
			require.Greater(t, score, 0.5)
		})
	}
}

// A run is paid for as long as it ran, whatever ended it; what never began costs nothing.
func TestWhoPaysForARunThatEnded(t *testing.T) {
	const work = 2 * time.Second
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots, c.Payments, c.Attempts = -1, &countingPayments{}, 1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		worker := &countingPayments{}
		broken := &failingCapsules{fakeCapsules: &fakeCapsules{}, after: work, kills: make(chan struct{})}
		there := w.start("there", func(c *Config) { c.Payments, c.Capsules = worker, broken })
		w.meet(home, there)
		time.Sleep(time.Second)
		ends := func(what string, ctx context.Context, err error, change func(*Submission)) {
			worker.earned.Store(0)
			worker.refunded.Store(0)
			broken.err = err
			_, failed := home.Dispatch(ctx, submission("x", change))
			require.Error(t, failed, what)
			time.Sleep(20 * time.Second)
			synctest.Wait()
		}
		for _, err := range []error{
			fmt.Errorf("%w: %w", capsule.ErrKilled, fmt.Errorf("%w for %v", supervisor.ErrNoHeartbeat, work)),
			fmt.Errorf("%w: killed by command", capsule.ErrKilled),
			&capsule.PanicError{Message: "x"}, capsule.ErrRingBroken, capsule.ErrStopped, capsule.ErrBadInput, capsule.ErrNotReady,
			capsule.ErrInstantiate, capsule.ErrCompile, capsule.ErrABIVersion, supervisor.ErrStopped,
			&supervisor.TimeLimitError{Limit: work}, errors.New("something else"),
		} {
			ends(err.Error(), t.Context(), err, nil)
			require.EqualValues(t, 1, worker.earned.Load(), "%v", err)
			require.EqualValues(t, 2*10, worker.last.Cost, "%v", err)
			require.Zero(t, worker.refunded.Load(), "%v", err)
		}
		ends("deadline", t.Context(), nil, func(s *Submission) { s.Job.Deadline = time.Now().Add(time.Second) })
		require.EqualValues(t, 1*10, worker.last.Cost)
		require.Contains(t, []mesh.JobCode{mesh.JobDeadline, mesh.JobCancelled}, worker.last.Code, "both sides know the deadline")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		ends("cancelled", ctx, nil, nil)
		require.EqualValues(t, 1*10, worker.last.Cost)
		require.Equal(t, mesh.JobCancelled, worker.last.Code)
		worker.until = time.Second
		ends("its voucher ends", t.Context(), nil, nil)
		require.EqualValues(t, 1*10, worker.last.Cost)
		require.Equal(t, mesh.JobDeadline, worker.last.Code)
		worker.until = 0

		broken.neverBegins = true
		ends("never began", t.Context(), supervisor.ErrBusy, func(s *Submission) { s.Job.Deadline = time.Now().Add(time.Second) })
		require.Zero(t, worker.earned.Load())
		require.Positive(t, worker.refunded.Load())
		broken.neverBegins = false

		// The node leaves, in order and not.
		worker.earned.Store(0)
		run := func() {
			broken.after = time.Minute
			go func() {
				_, _ = home.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(5 * time.Second) }))
			}()
			time.Sleep(3 * time.Second)
		}
		run()
		soon, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		d, err := there.Drain(soon)
		require.NoError(t, err)
		require.Equal(t, 1, d.HandedBack)
		require.EqualValues(t, 1, worker.earned.Load())
		require.EqualValues(t, 4*10, worker.last.Cost)
		require.Equal(t, mesh.JobBusy, worker.last.Code)
		there.stop()
		time.Sleep(10 * time.Second)
		broken.kills = make(chan struct{})
		other := w.start("other", func(c *Config) { c.Payments, c.Capsules = worker, broken })
		w.meet(home, other)
		time.Sleep(time.Second)
		run()
		other.stop()
		synctest.Wait()
		require.EqualValues(t, 2, worker.earned.Load())
		require.EqualValues(t, 3*10, worker.last.Cost)
	})
}

// failingCapsules begins, works for a while and ends with an error.
type failingCapsules struct {
	*fakeCapsules
	after       time.Duration
	err         error
	neverBegins bool
	kills       chan struct{}
}

// Serve kills what runs at its end, as a supervisor does.
func (b *failingCapsules) Serve(ctx context.Context) error {
	<-ctx.Done()
	close(b.kills)
	return ctx.Err()
}

func (b *failingCapsules) Run(ctx context.Context, _ capsule.CID, _ Limits, _ capsule.Task, _ func(done, total uint64)) ([]byte, error) {
	if b.neverBegins {
		return nil, b.err
	}
	capsule.Begin(ctx)
	select {
	case <-time.After(b.after):
		return nil, b.err
	case <-b.kills:
		return nil, fmt.Errorf("%w: the supervisor stops", capsule.ErrKilled)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A capsule cannot bring its result home as the text of an error.
func TestFailureTextIsShort(t *testing.T) {
	require.Equal(t, "short", mesh.ShortMessage("short"))
	long := mesh.ShortMessage(strings.Repeat("\u00e9", 4000))
	require.LessOrEqual(t, len(long), 512+len("…"))
	require.True(t, strings.HasSuffix(long, "\u00e9…"))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Capsules, c.Attempts = longErrorCapsules{&fakeCapsules{}}, 1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		_, err := home.Dispatch(t.Context(), submission("x", nil))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 2*512)
	})
}

// longErrorCapsules says a lot when it fails.
type longErrorCapsules struct{ *fakeCapsules }

func (longErrorCapsules) Run(context.Context, capsule.CID, Limits, capsule.Task, func(done, total uint64)) ([]byte, error) {
	return nil, fmt.Errorf("%w: %w", capsule.ErrRunFailed, errors.New(strings.Repeat("result ", 2000)))
}
