//go:build !js

package node

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/submit"
	"inos/internal/wire"
)

const strangerLine = 1000

// holdsUp sends a job of a fresh key's, worth a stranger's whole line, from a network. It
// reports whether the worker has money held for it: it asks for the input then, which does
// not come before ctx ends.
func holdsUp(ctx context.Context, t *testing.T, worker *peer, seed byte, origin string) (held bool, out mesh.JobOutcome) {
	t.Helper()
	wallet, err := credit.NewWallet(credit.WalletConfig{Key: keyOf(seed), Codec: wire.Credit{}})
	require.NoError(t, err)
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("x")), Method: "echo", Input: []byte("in"), Budget: strangerLine,
		Deadline: time.Now().Add(10 * time.Minute), CreditLedgerID: string(wallet.Ledger()), Module: "test", Device: idOf(seed)}, time.Now())
	require.NoError(t, err)
	_, voucher, err := wallet.Issue(sub.Job.ID, worker.mesh.Self(), strangerLine, time.Now().Add(10*time.Minute))
	require.NoError(t, err)
	asked, ended := make(chan struct{}), make(chan mesh.JobOutcome, 1)
	go func() {
		ended <- worker.Kernel.HandleJob(ctx, idOf(seed), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, Origin: origin,
			Body: func(ctx context.Context) ([]byte, error) {
				close(asked)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}}, nil, func(mesh.Progress) {})
	}()
	select {
	case <-asked:
		return true, out
	case out = <-ended:
		return false, out
	}
}

// Somebody with as many keys as he likes on one network has half of the line of all strangers
// for himself, be it for jobs or for capsules that stay; others have theirs.
func TestANetworkOfStrangersHasItsShare(t *testing.T) {
	worker := start(t, 120, func(c *Config) {
		c.CreditCost, c.StrangerLine, c.Slots = strangerLine/10, strangerLine, 4 // an advance is ten seconds
		c.Policy = governance.Policy{Version: 1, Lifecycle: []governance.LifecycleRule{{Commands: []capsule.CommandType{capsule.Spawn}}}}
	})
	cid, err := worker.Library.Publish("fault", built(t, "fault"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const greedy, other = "192.0.2.0/24", "198.51.100.0/24"
	lines := 0
	for seed := byte(130); seed < 130+2*strangersLines; seed++ {
		held, out := holdsUp(ctx, t, worker, seed, greedy)
		if held {
			lines++
			continue
		}
		require.Equal(t, mesh.JobRejected, out.Code, out.Message)
		require.Equal(t, "ledger_exhausted", out.Reason)
	}
	require.Equal(t, strangersLines/2, lines)

	spawn := func(seed byte, origin string) capsule.Reply {
		return worker.Kernel.HandleCommand(t.Context(), idOf(seed), mesh.CommandCall{Envelope: commandFrom(t, seed), Origin: origin,
			Command: capsule.Command{ID: "1", Type: capsule.Spawn, Timestamp: time.Now(), Spawn: &capsule.SpawnParams{CID: cid.String()}}})
	}
	refused := spawn(180, greedy)
	require.Equal(t, capsule.Denied, refused.Code, refused.Message)
	require.Equal(t, "ledger_exhausted", refused.Reason)
	let := spawn(181, other)
	require.Equal(t, capsule.OK, let.Code, let.Message)
	held, out := holdsUp(ctx, t, worker, 182, other)
	require.True(t, held, out.Message)
}

// commandFrom is an envelope for a command of seed's node.
func commandFrom(t *testing.T, seed byte) governance.Envelope {
	t.Helper()
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("x")), Method: "echo", Module: "test", Device: idOf(seed),
		CreditLedgerID: identity.LedgerPrefix + string(idOf(seed))}, time.Now())
	require.NoError(t, err)
	env := sub.Envelope
	env.Type = mesh.CommandType
	return env
}
