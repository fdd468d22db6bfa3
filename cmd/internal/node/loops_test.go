package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/mesh/inproc"
	"inos/internal/submit"
	"inos/internal/testkit"
)

// noRuntime is a runtime that nothing is run on.
type noRuntime struct{}

func (noRuntime) Compile(context.Context, []byte) (capsule.Module, error) {
	return nil, capsule.ErrNotWasm
}
func (noRuntime) Compiled(capsule.CID) (capsule.Module, bool) { return nil, false }
func (noRuntime) Close() error                                { return nil }

// requestMesh is an in-process mesh that carries requests.
type requestMesh struct {
	mesh.Mesh
	to map[identity.PeerID]*Node
}

var _ mesh.Requester = requestMesh{}

func (p requestMesh) Request(ctx context.Context, to identity.PeerID, name string, body []byte) ([]byte, error) {
	n := p.to[to]
	if n == nil {
		return nil, mesh.ErrUnreachable
	}
	return n.Requests()[name](ctx, p.Self(), body)
}

// What a node does of its own accord: it gives back holds whose time is over, asks after
// vouchers whose fate it does not know, and keeps what it has seen of others.
func TestNodeLooksAfterItsBooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &testkit.KVStore{}
		build := func(seed byte, keep *testkit.KVStore) *Node {
			n, err := New(Config{Key: testkit.Key(seed), Kind: "native", CreditCost: 1000, Slots: -1, Runtime: noRuntime{}, Allowance: 1_000_000, StrangerLine: 1_000_000, Keep: keep})
			require.NoError(t, err)
			return n
		}
		home, worker := build(1, kept), build(2, &testkit.KVStore{})
		net := inproc.New(inproc.Config{})
		defer net.Close()
		joined, err := net.Join(testkit.Key(1), home.Kernel)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- home.Run(ctx, requestMesh{joined, map[identity.PeerID]*Node{worker.Signer.Peer(): worker}})
		}()
		synctest.Wait()

		// One job is done, and its result is lost; one node never answers.
		away := testkit.Peer(3)
		for _, payee := range []identity.PeerID{worker.Signer.Peer(), away} {
			sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("wasm")), Budget: 1000, Deadline: time.Now().Add(30 * time.Second),
				CreditLedgerID: string(home.Signer.Ledger()), Module: "test", Device: home.Signer.Peer()}, time.Now())
			require.NoError(t, err)
			a, err := home.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, time.Now())
			require.NoError(t, err)
			voucher, err := home.Payment.Promise(a, payee, termsOf(sub, 1000), time.Now())
			require.NoError(t, err)
			if payee == away {
				continue
			}
			there, err := worker.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher,
				From: home.Signer.Peer(), Payee: payee}, time.Now())
			require.NoError(t, err)
			earning, err := worker.Payment.Earn(there, termsOf(sub, 1000), time.Now())
			require.NoError(t, err)
			_, err = earning.Collect(kernel.Work{CapsuleCID: sub.Job.Capsule, InputCID: sub.Job.InputCID, Cost: 400, Started: time.Now(), Finished: time.Now()}, time.Now())
			require.NoError(t, err)
		}
		home.Reputation.Note(away, credit.DeedDisagree, time.Now())
		bad, _ := home.Reputation.Of(away, time.Now())
		require.Len(t, home.Ledger.Holds(), 2)
		time.Sleep(45 * time.Second)
		require.Len(t, home.Ledger.Holds(), 1, "the receipt has been asked for")
		b, _ := home.Ledger.Balance(home.Signer.Ledger())
		require.EqualValues(t, -400-1000, b.Balance)
		time.Sleep(2 * time.Minute)
		require.Empty(t, home.Ledger.Holds(), "silence has its end")
		b, _ = home.Ledger.Balance(home.Signer.Ledger())
		require.EqualValues(t, -400, b.Balance)

		seen := func(of identity.PeerID) float64 {
			score, _ := build(1, kept).Reputation.Of(of, time.Now())
			return score
		}
		require.InDelta(t, bad, seen(away), 0.01, "kept while it runs")
		home.Reputation.Note(worker.Signer.Peer(), credit.DeedDone, time.Now())
		require.Equal(t, 0.5, seen(worker.Signer.Peer()))
		cancel()
		<-ended
		require.Greater(t, seen(worker.Signer.Peer()), 0.5, "and when it ends")
	})
}

// termsOf are those of a run of sub's job at price microcredits a second.
func termsOf(sub kernel.Submission, price uint64) kernel.Terms {
	t := kernel.Terms{Price: price, Amount: sub.Job.Budget, Until: sub.Job.Deadline}
	if t.Until.IsZero() {
		t.Until = time.Now().Add(time.Minute)
	}
	return t
}
