//go:build unix

package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/submit"
	"inos/internal/wire"
)

// price is the price of a node with default flags, in microcredits a second.
const price = 10

// buyer is a stranger with a fresh key that signs its own vouchers.
type buyer struct {
	capsules string // their folder
	signer   *credit.Signer
	library  *library.Library
	shelve   func() (*library.Library, error) // an empty one
	mesh     *p2p.Mesh
	node     identity.PeerID
	// limit is the time limit for a run in the buyer's manifests, 0 for none.
	limit time.Duration
}

// newBuyer makes a buyer that has dialled the node of a.
func newBuyer(ctx context.Context, a *arena) (*buyer, error) {
	b, err := newStranger(a.capsules)
	if err == nil {
		b.node, err = b.mesh.Connect(ctx, a.addr)
	}
	return b, err
}

// newStranger makes a buyer that listens at addresses and knows no node yet.
func newStranger(capsules string, listen ...string) (*buyer, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	b := &buyer{capsules: capsules}
	if b.signer, err = credit.NewSigner(credit.SignerConfig{Key: key, Codec: wire.Credit{}}); err != nil {
		return nil, err
	}
	b.shelve = func() (*library.Library, error) {
		return library.New(library.Config{Self: b.signer.Peer(), Verify: wire.OpenManifest,
			Sign: func(m capsule.Manifest) ([]byte, error) {
				m.TimeLimit = b.limit
				return wire.SealManifest(m, key)
			}})
	}
	if b.library, err = b.shelve(); err != nil {
		return nil, err
	}
	b.mesh, err = p2p.New(p2p.Config{Key: key, Handler: b, Listen: listen})
	return b, err
}

// HandleFetch implements mesh.Handler: it serves the capsules of the purchases.
func (b *buyer) HandleFetch(ctx context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	blob, err := b.library.Capsule(ctx, call.CID)
	return blob, err == nil
}

// HandleJob implements mesh.Handler.
func (b *buyer) HandleJob(context.Context, identity.PeerID, mesh.JobCall, mesh.FetchFunc, func(mesh.Progress)) mesh.JobOutcome {
	return mesh.JobOutcome{Code: mesh.JobBusy}
}

// HandleCommand implements mesh.Handler.
func (b *buyer) HandleCommand(context.Context, identity.PeerID, mesh.CommandCall) capsule.Reply {
	return capsule.Reply{Code: capsule.Denied}
}

// purchase is a run that is to be bought.
type purchase struct {
	module  string // of build/capsules, unless there are bytes
	bytes   []byte
	method  string
	args    []string
	budget  uint64
	voucher time.Duration // how long it is valid
	time    time.Duration // until the job's deadline
}

func (p purchase) String() string { return strings.TrimSpace(p.module + " " + p.method) }

// bill is the result of a purchase.
type bill struct {
	mesh.JobOutcome
	waited  time.Duration
	reports int
}

func (b bill) String() string {
	return fmt.Sprintf("%d microcredits after %v, %d reports: %v %s", b.Cost, b.waited.Round(10*time.Millisecond), b.reports, b.Code, cmp.Or(b.Reason, b.Message))
}

// owes reports whether the node can show that it is owed for at least ran, and for no more than the
// time that was waited.
func (b bill) owes(ran time.Duration) bool {
	receipt, _, err := wire.Credit{}.OpenReceipt(b.Receipt)
	least := credit.Meter{Rate: price, Max: 1 << 62}.Cost(ran)
	return err == nil && receipt.Cost == b.Cost && b.Cost >= least && b.Cost <= credit.Bound(price, b.waited)
}

// buy runs p on the node.
func (b *buyer) buy(ctx context.Context, p purchase) (bill, error) {
	wasm, err := p.bytes, error(nil)
	if wasm == nil {
		wasm, err = os.ReadFile(filepath.Join(b.capsules, p.module+".wasm"))
	}
	if err != nil {
		return bill{}, err
	}
	blob, err := b.library.Seal(p.module, wasm)
	if err == nil {
		err = b.library.Accept(blob)
	}
	if err != nil {
		return bill{}, err
	}
	now := time.Now()
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID(wasm), Method: p.method, Args: p.args, Budget: p.budget, Deadline: now.Add(p.time),
		CreditLedgerID: string(b.signer.Ledger()), Module: "hostile", Device: b.signer.Peer()}, now)
	if err != nil {
		return bill{}, err
	}
	_, voucher, err := b.signer.Issue(sub.Job.ID, b.node, p.budget, now.Add(p.voucher))
	if err != nil {
		return bill{}, err
	}
	var got bill
	began := time.Now()
	got.JobOutcome, err = b.mesh.RunJob(ctx, b.node, mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, Input: sub.Input},
		func(mesh.Progress) { got.reports++ })
	got.waited = time.Since(began)
	return got, err
}

// purchases is an attack by a buyer that wants more than it pays for.
func purchases(p purchase, meanwhile func(context.Context, *arena) error, held func(*arena, bill) bool) func(context.Context, *arena) (string, bool, error) {
	return func(ctx context.Context, a *arena) (string, bool, error) {
		b, err := newBuyer(ctx, a)
		if err != nil {
			return "", false, err
		}
		disturbed := make(chan error, 1)
		go func() { disturbed <- meanwhile(ctx, a) }()
		got, err := b.buy(ctx, p)
		if err = errors.Join(err, <-disturbed, b.mesh.Close()); err != nil {
			return "", false, err
		}
		return got.String(), held(a, got), a.honest(ctx)
	}
}
