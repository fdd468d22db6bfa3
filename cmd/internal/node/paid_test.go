//go:build !js

package node

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/submit"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
	"inos/internal/trace"
)

// price is what the tests' nodes cost: at 1000 microcredits a second a budget of
// 300 lasts 0.3 s.
const price = 1000

// peer is a node over loopback, with real capsules and a real ledger.
type peer struct {
	*Node
	mesh *p2p.Mesh
	key  ed25519.PrivateKey
	halt context.CancelFunc // ends the node; what it has stays open
}

func start(t testing.TB, seed byte, change func(*Config)) *peer {
	return startOn(t, seed, "/ip4/127.0.0.1/udp/0/quic-v1", change)
}

func startOn(t testing.TB, seed byte, listen string, change func(*Config)) *peer {
	t.Helper()
	return startWith(t, seed, listen, func(*p2p.Config) {}, change)
}

// startWith is startOn with another mesh.
func startWith(t testing.TB, seed byte, listen string, changeMesh func(*p2p.Config), change func(*Config)) *peer {
	t.Helper()
	runtime, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	key := testkit.Key(seed)
	cfg := Config{
		Key: key, Name: "test", Kind: "native", CreditCost: price, Slots: 2, Runtime: runtime, Allowance: 1_000_000, StrangerLine: 1_000_000,
		PublishEvery: time.Second, PingEvery: time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	require.NoError(t, err)
	on := p2p.Config{Key: key, Handler: n.Kernel, Requests: n.Requests(), Listen: []string{listen}, Now: cfg.Now, Sequence: n.Sequence()}
	changeMesh(&on)
	m, err := p2p.New(on)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, m) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		<-ended
		require.NoError(t, m.Close())
		require.NoError(t, runtime.Close())
		require.NoError(t, n.Ledger.Close())
		require.Zero(t, n.Ledger.Sum())
	}))
	return &peer{n, m, key, cancel}
}

func order(t *testing.T, from *peer, cid capsule.CID, method string, budget uint64, deadline time.Time) kernel.Submission {
	t.Helper()
	sub, err := submit.New(submit.Order{
		Capsule: cid, Method: method, Input: []byte("in"), Budget: budget, Deadline: deadline,
		CreditLedgerID: string(from.Signer.Ledger()), Module: "test", Device: from.mesh.Self(),
	}, time.Now())
	require.NoError(t, err)
	return sub
}

func owes(t *testing.T, books *peer, ledger identity.LedgerID) int64 {
	t.Helper()
	b, ok := books.Ledger.Balance(ledger)
	require.True(t, ok)
	require.Zero(t, b.Held, "nothing stays held")
	return -b.Balance
}

func TestPaidJobAcrossNodes(t *testing.T) {
	home := start(t, 1, func(c *Config) { c.Slots = -1 })
	worker := start(t, 2, nil)
	cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
	require.NoError(t, err)
	events, cancel := home.Kernel.Subscribe(256)
	defer cancel()
	require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, worker.mesh.Addrs()))
	for e := range events {
		if _, ok := e.(kernel.NodeHeard); ok {
			break
		}
	}

	// A job that ends costs what it took.
	out, err := home.Kernel.Dispatch(t.Context(), order(t, home, cid, "echo", 100_000, time.Time{}))
	require.NoError(t, err)
	require.Equal(t, "in", string(out.Output))
	require.Positive(t, out.Cost)
	ledger := home.Signer.Ledger()
	require.EqualValues(t, out.Cost, owes(t, home, ledger), "the rest came back")
	require.EqualValues(t, out.Cost, owes(t, worker, ledger), "both books agree")

	// One that never ends is stopped when its money is used up, with debits on the
	// way, and that much is paid.
	before := owes(t, home, ledger)
	sub := order(t, home, cid, "work", 300, time.Time{})
	var mu sync.Mutex
	var debits []uint64
	sub.OnProgress = func(p mesh.Progress) {
		mu.Lock()
		defer mu.Unlock()
		debits = append(debits, p.Cost)
	}
	out, err = home.Kernel.Dispatch(t.Context(), sub)
	require.Error(t, err)
	require.Equal(t, mesh.JobCreditExhausted, out.Code)
	require.EqualValues(t, 300, out.Cost)
	require.GreaterOrEqual(t, out.Run, 300*time.Millisecond)
	require.EqualValues(t, 300, owes(t, home, ledger)-before)
	require.EqualValues(t, owes(t, home, ledger), owes(t, worker, ledger))
	mu.Lock()
	require.NotEmpty(t, debits)
	require.IsNonDecreasing(t, debits)
	mu.Unlock()
	kept := home.Signer.Kept(sub.Job.ID)
	require.Len(t, kept, 1)
	require.EqualValues(t, mesh.JobCreditExhausted, kept[0].Receipt.Code)

	// One that fails costs what it took, and what it says of that is cut short: a result
	// that travels as an error is no cheaper than one that does not.
	before = owes(t, home, ledger)
	sub, err = submit.New(submit.Order{Capsule: cid, Method: "lie", Args: []string{strings.Repeat("x", 15_000)}, Input: []byte("in"), Budget: 100_000,
		CreditLedgerID: string(ledger), Module: "test", Device: home.mesh.Self()}, time.Now())
	require.NoError(t, err)
	out, err = home.Kernel.Dispatch(t.Context(), sub)
	require.Error(t, err)
	require.Positive(t, out.Cost)
	require.EqualValues(t, out.Cost, owes(t, home, ledger)-before)
	require.EqualValues(t, owes(t, home, ledger), owes(t, worker, ledger))
	require.Less(t, len(err.Error()), 1000)

	// A refusal is definite: the hold comes back at once.
	before = owes(t, home, ledger)
	_, err = home.Kernel.Dispatch(t.Context(), order(t, home, capsule.SumCID([]byte("nowhere")), "echo", 1000, time.Time{}))
	require.Error(t, err)
	require.Equal(t, before, owes(t, home, ledger))

	// One that its deadline ended is paid for when its node has been asked for the
	// receipt.
	_, err = home.Kernel.Dispatch(t.Context(), order(t, home, cid, "work", 100_000, time.Now().Add(300*time.Millisecond)))
	require.Error(t, err)
	require.Eventually(t, func() bool {
		home.clearing.AskReceipts(t.Context())
		return len(home.Ledger.Holds()) == 0
	}, time.Minute, 10*time.Millisecond)
	require.GreaterOrEqual(t, owes(t, home, ledger)-before, int64(200), "0.2 s at the least")
	require.EqualValues(t, owes(t, home, ledger), owes(t, worker, ledger))

	// The spans of both nodes are here.
	nodes := map[identity.PeerID]map[string]bool{home.mesh.Self(): {}, worker.mesh.Self(): {}}
	for _, s := range home.Kernel.Trace(sub.Job.ID) {
		nodes[s.Node][s.Name] = true
	}
	require.Subset(t, nodes[home.mesh.Self()], map[string]bool{"console": true, "dispatch": true, "admit": true, "choose": true, "transfer": true, "settle": true})
	require.Subset(t, nodes[worker.mesh.Self()], map[string]bool{"serve": true, "admit": true, "run": true, "settle": true})
}

// A payer that was down when its worker answered asks for the receipt, settles it
// once, and never refunds what was settled.
func TestLateReceiptIsSettledOnce(t *testing.T) {
	log := &credit.MemoryLog{}
	worker := start(t, 2, nil)
	home := start(t, 1, func(c *Config) { c.Log = log })
	_, err := home.mesh.Connect(t.Context(), worker.mesh.Addrs()[0])
	require.NoError(t, err)

	// As far as the books go, three jobs: one done, one refused, one at work.
	var holds []credit.HoldID
	var subs []kernel.Submission
	for i := range 3 {
		sub := order(t, home, capsule.SumCID([]byte("wasm")), "", 1000, time.Now().Add(time.Minute))
		a, err := home.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, time.Now())
		require.NoError(t, err)
		voucher, err := home.Payment.Promise(a, worker.mesh.Self(), termsOf(sub, price), time.Now())
		require.NoError(t, err)
		there, err := worker.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher,
			From: home.mesh.Self(), Payee: worker.mesh.Self()}, time.Now())
		require.NoError(t, err)
		earning, err := worker.Payment.Earn(there, termsOf(sub, price), time.Now())
		require.NoError(t, err)
		switch i {
		case 0:
			_, err = earning.Collect(kernel.Work{CapsuleCID: sub.Job.Capsule, InputCID: sub.Job.InputCID, Cost: 400, Started: time.Now(), Finished: time.Now()}, time.Now())
			require.NoError(t, err)
		case 1:
			earning.Refund(time.Now())
		}
		subs = append(subs, sub)
	}
	home.clearing.AskReceipts(t.Context())
	require.Len(t, home.Ledger.Holds(), 3, "their jobs may be in hand")

	// The payer starts again on the same log: its promises are forgotten, the holds not.
	again := start(t, 1, func(c *Config) { c.Log = &sharedLog{log} })
	_, err = again.mesh.Connect(t.Context(), worker.mesh.Addrs()[0])
	require.NoError(t, err)
	for _, h := range again.Ledger.Holds() {
		holds = append(holds, h.ID)
	}
	require.Len(t, holds, 3)
	for range 3 {
		again.clearing.AskReceipts(t.Context())
		b, _ := again.Ledger.Balance(again.Signer.Ledger())
		require.EqualValues(t, -400-1000, b.Balance, "400 settled, 1000 refunded, 1000 at work")
		require.EqualValues(t, 1000, b.Held)
	}
	open := again.Ledger.Holds()
	require.Len(t, open, 1)
	require.Equal(t, subs[2].Job.ID, open[0].JobID)
	ids, err := again.Ledger.Expire(open[0].Expires.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, ids, 1, "a node that never answers is refunded at expiry")
}

// sharedLog is a log that another ledger of the test has open, too, and leaves alone.
type sharedLog struct{ credit.Log }

func TestChequesClearBothBooks(t *testing.T) {
	a, b := start(t, 1, nil), start(t, 2, nil)
	_, err := a.mesh.Connect(t.Context(), b.mesh.Addrs()[0])
	require.NoError(t, err)
	owe := func(payer, worker *peer, amount uint64) {
		sub := order(t, payer, capsule.SumCID([]byte("wasm")), "", amount, time.Time{})
		here, err := payer.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, time.Now())
		require.NoError(t, err)
		voucher, err := payer.Payment.Promise(here, worker.mesh.Self(), termsOf(sub, price), time.Now())
		require.NoError(t, err)
		there, err := worker.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher,
			From: payer.mesh.Self(), Payee: worker.mesh.Self()}, time.Now())
		require.NoError(t, err)
		earning, err := worker.Payment.Earn(there, termsOf(sub, price), time.Now())
		require.NoError(t, err)
		w := kernel.Work{CapsuleCID: sub.Job.Capsule, InputCID: sub.Job.InputCID, OutputCID: "o", Cost: amount, Started: time.Now(), Finished: time.Now()}
		receipt, err := earning.Collect(w, time.Now())
		require.NoError(t, err)
		require.NoError(t, payer.Payment.Pay(here, mesh.JobOutcome{Node: worker.mesh.Self(), OutputCID: "o", Cost: amount, Receipt: receipt}, time.Hour, time.Now()))
	}
	owe(a, b, 900_000)
	owe(b, a, 600_000)
	a.clearing.SendCheques(t.Context())
	s, err := a.Ledger.Standing(b.mesh.Self())
	require.NoError(t, err)
	require.EqualValues(t, 900_000, s.Owed, "not yet worth a cheque")
	owe(a, b, 100_000)
	a.clearing.SendCheques(t.Context())
	s, err = a.Ledger.Standing(b.mesh.Self())
	require.NoError(t, err)
	require.Equal(t, credit.Standing{Drawn: 400_000}, s, "600,000 set off, the rest promised")
	s, err = b.Ledger.Standing(a.mesh.Self())
	require.NoError(t, err)
	require.Equal(t, credit.Standing{Promised: 400_000}, s)
}

func TestBrowsersForwardTheirSpans(t *testing.T) {
	exported := make(chan trace.Span, 64)
	exporter := start(t, 2, func(c *Config) { c.Export = func(s trace.Span) { exported <- s } })
	browser := start(t, 1, func(c *Config) { c.Kind = "browser" })
	_, err := browser.mesh.Connect(t.Context(), exporter.mesh.Addrs()[0])
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(browser.mesh.Peers(), func(p mesh.Peer) bool { return p.Connected && p.Profile.Kind == "native" })
	}, time.Minute, 10*time.Millisecond, "nobody else takes them")
	sub := order(t, browser, capsule.SumCID([]byte("nowhere")), "", 1000, time.Now().Add(time.Minute))
	sub.Envelope.Metadata.CreditLedgerID = "" // refused at once, with spans
	_, err = browser.Kernel.Dispatch(t.Context(), sub)
	require.Error(t, err)
	// What it does for others is for them: their jobs are not told to strangers.
	theirs := order(t, exporter, capsule.SumCID([]byte("nowhere")), "", 1000, time.Now().Add(time.Minute))
	out := browser.Kernel.HandleJob(t.Context(), exporter.mesh.Self(), mesh.JobCall{Envelope: theirs.Envelope, Job: theirs.Job}, nil, nil)
	require.NotEmpty(t, out.Spans, "who sent it gets them")
	names := map[string]string{}
	for range 3 {
		s := <-exported
		names[s.Name] = s.Code
		require.Equal(t, browser.mesh.Self(), s.Node)
		require.Equal(t, sub.Job.ID, s.JobID, "of its own job alone")
	}
	require.Equal(t, map[string]string{"console": "rejected", "dispatch": "rejected", "admit": "ledger_missing"}, names)
	require.Empty(t, exporter.Kernel.Trace(sub.Job.ID), "they pass through")
}

// A spawned capsule whose ledger runs dry is paused, and goes on once it is paid.
func TestSpawnedCapsuleLivesOnItsLedger(t *testing.T) {
	// One advance of ten seconds, and not a second one.
	home := start(t, 1, func(c *Config) { c.Allowance = 12 * price })
	cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
	require.NoError(t, err)
	events, cancel := home.Kernel.Subscribe(1024)
	defer cancel()
	ledger := home.Signer.Ledger()
	r, err := home.Kernel.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: cid.String(), CreditLedgerID: string(ledger)}})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	next := func() kernel.CapsuleCredit {
		for e := range events {
			if c, ok := e.(kernel.CapsuleCredit); ok {
				return c
			}
		}
		t.Fatal("no event")
		return kernel.CapsuleCredit{}
	}
	e := next()
	require.Equal(t, "pause", e.Action)
	require.NoError(t, e.Err)
	require.Equal(t, r.CapsuleID, e.CapsuleID)
	b, _ := home.Ledger.Balance(ledger)
	require.Less(t, b.Balance, int64(-7*price), "what ran is paid")
	require.Zero(t, b.Held)
	require.NoError(t, home.Ledger.Grant(ledger, 100*price, time.Now()))
	e = next()
	require.Equal(t, "resume", e.Action)
	require.NoError(t, e.Err)
	kill, err := home.Kernel.Command(t.Context(), "", capsule.Command{ID: "2", Type: capsule.Kill, Target: r.CapsuleID})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, kill.Code)
}
