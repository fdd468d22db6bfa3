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
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/submit"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

const strangerLine = 1000

// brings has seed's node bring a job to the worker, with a voucher of its own.
func brings(ctx context.Context, t *testing.T, worker *peer, seed byte, o submit.Order, origin string, fetch mesh.FetchFunc, body func(context.Context) ([]byte, error)) mesh.JobOutcome {
	wallet, err := credit.NewSigner(credit.SignerConfig{Key: testkit.Key(seed), Codec: wire.Credit{}})
	must(t, err)
	o.Input, o.CreditLedgerID, o.Module, o.Device = []byte("in"), string(wallet.Ledger()), "test", testkit.Peer(seed)
	sub, err := submit.New(o, time.Now())
	must(t, err)
	_, voucher, err := wallet.Issue(sub.Job.ID, worker.mesh.Self(), o.Budget, time.Now().Add(10*time.Minute))
	must(t, err)
	return worker.Kernel.HandleJob(ctx, testkit.Peer(seed), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, Origin: origin, Body: body},
		fetch, func(mesh.Progress) {})
}

// holdsUp has a fresh key bring a job worth a stranger's whole line from a network. It
// reports whether the worker has money held for it: it asks for the input then, which does
// not come before ctx ends.
func holdsUp(ctx context.Context, t *testing.T, worker *peer, seed byte, origin string) (held bool, out mesh.JobOutcome) {
	t.Helper()
	asked, ended := make(chan struct{}), make(chan mesh.JobOutcome, 1)
	go func() {
		o := submit.Order{Capsule: capsule.SumCID([]byte("x")), Method: "echo", Budget: strangerLine, Deadline: time.Now().Add(10 * time.Minute)}
		ended <- brings(ctx, t, worker, seed, o, origin, nil, func(ctx context.Context) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
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
	cid, err := worker.Library.Publish("fault", capsules.Built(t, "fault"))
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
		return worker.Kernel.HandleCommand(t.Context(), testkit.Peer(seed), mesh.CommandCall{Envelope: commandFrom(t, seed), Origin: origin,
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
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("x")), Method: "echo", Module: "test", Device: testkit.Peer(seed),
		CreditLedgerID: identity.LedgerPrefix + string(testkit.Peer(seed))}, time.Now())
	require.NoError(t, err)
	env := sub.Envelope
	env.Type = mesh.CommandType
	return env
}

// Two strangers whose inputs were here first wait for the only slot; the one whom the node's
// owner has given a line comes after them, and gets it before them.
func TestASlotGoesFirstToWhoPays(t *testing.T) {
	worker := start(t, 190, func(c *Config) { c.Slots, c.StrangerLine = 1, 10_000_000 })
	cid, err := worker.Library.Publish("fault", capsules.Built(t, "fault"))
	require.NoError(t, err)
	require.NoError(t, worker.Ledger.OpenAccount(testkit.Ledger(193), 1_000_000, time.Now()))
	inLine := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool {
			st, err := worker.Kernel.Status(t.Context())
			return err == nil && st.InLine == n
		}, time.Minute, time.Millisecond)
	}
	const stranger1, stranger2, payer = 191, 192, 193
	order := submit.Order{Capsule: cid, Method: "echo", Budget: 100_000, Deadline: time.Now().Add(10 * time.Minute)}
	here, ended := make(map[byte]chan struct{}), make(map[byte]chan mesh.JobOutcome)
	for _, seed := range []byte{stranger1, stranger2, payer} {
		asked, comes, out := make(chan struct{}), make(chan struct{}), make(chan mesh.JobOutcome, 1)
		here[seed], ended[seed] = comes, out
		go func() {
			out <- brings(t.Context(), t, worker, seed, order, "", nil, func(context.Context) ([]byte, error) {
				close(asked)
				<-comes
				return []byte("in"), nil
			})
		}()
		<-asked
	}
	// Who waits for a slot waits for as long as its input took to come.
	<-time.After(5 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	work := order
	work.Method = "work"
	busy := make(chan mesh.JobOutcome, 1)
	go func() {
		busy <- brings(ctx, t, worker, 194, work, "", nil, func(context.Context) ([]byte, error) { return []byte("in"), nil })
	}()
	require.Eventually(t, func() bool {
		st, err := worker.Kernel.Status(t.Context())
		return err == nil && st.FreeSlots == 0
	}, time.Minute, time.Millisecond)
	for i, seed := range []byte{stranger1, stranger2, payer} {
		close(here[seed])
		inLine(i + 1)
	}
	cancel()
	<-busy
	started := make(map[byte]time.Time)
	for seed, out := range ended {
		out := <-out
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		r, _, err := wire.Credit{}.OpenReceipt(out.Receipt)
		require.NoError(t, err)
		started[seed] = r.StartedAt
	}
	require.True(t, started[payer].Before(started[stranger1]), "first: %v", started)
	require.True(t, started[stranger1].Before(started[stranger2]), "then who has waited for longest: %v", started)
}

// A capsule that came for a job is there when the job has its slot, however much else comes
// meanwhile, from the same network before others.
func TestACapsuleIsKeptUntilItsJobRuns(t *testing.T) {
	worker := start(t, 200, func(c *Config) { c.Slots, c.StrangerLine, c.capacity = 1, 10_000_000, 8<<20 })
	home := start(t, 201, nil)
	busyWith, err := worker.Library.Publish("fault", capsules.Built(t, "fault"))
	require.NoError(t, err)
	cid, err := home.Library.Publish("hash", capsules.Built(t, "hash"))
	require.NoError(t, err)
	const origin = "192.0.2.0/24"
	from := func(ctx context.Context, call mesh.FetchCall) (mesh.Blob, error) {
		blob, err := home.Library.Capsule(ctx, call.CID)
		blob.Origin = origin
		return blob, err
	}
	asked, here, ended := make(chan struct{}), make(chan struct{}), make(chan mesh.JobOutcome, 1)
	order := submit.Order{Capsule: cid, Method: "sha256", Budget: 100_000, Deadline: time.Now().Add(10 * time.Minute)}
	go func() {
		ended <- brings(t.Context(), t, worker, 202, order, origin, from, func(context.Context) ([]byte, error) {
			close(asked)
			<-here
			return []byte("in"), nil
		})
	}()
	<-asked
	<-time.After(5 * time.Second) // it waits for a slot as long as this took to come
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan mesh.JobOutcome, 1)
	go func() {
		work := submit.Order{Capsule: busyWith, Method: "work", Budget: 100_000, Deadline: order.Deadline}
		busy <- brings(ctx, t, worker, 203, work, "", nil, func(context.Context) ([]byte, error) { return []byte("in"), nil })
	}()
	status := func(is func(kernel.Status) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			st, err := worker.Kernel.Status(t.Context())
			return err == nil && is(st)
		}, time.Minute, time.Millisecond)
	}
	status(func(st kernel.Status) bool { return st.FreeSlots == 0 })
	close(here)
	status(func(st kernel.Status) bool { return st.InLine == 1 })
	var last capsule.CID
	for i := range byte(40) {
		junk, err := home.Library.Seal("junk", append(make([]byte, 1<<20), i))
		require.NoError(t, err)
		junk.Origin, last = origin, capsule.SumCID(junk.Wasm)
		require.NoError(t, worker.Library.Accept(junk))
	}
	require.True(t, worker.Library.Has(last))
	cancel()
	<-busy
	out := <-ended
	require.Equal(t, mesh.JobOK, out.Code, out.Message)
	for i := range byte(40) {
		junk, err := home.Library.Seal("junk", append(make([]byte, 1<<20), 100+i))
		require.NoError(t, err)
		junk.Origin = origin
		require.NoError(t, worker.Library.Accept(junk))
	}
	require.False(t, worker.Library.Has(cid), "it is nobody's any more")
}
