//go:build !js

package node

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"
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

// Every way in which a ledger id or a voucher can be wrong has its code, as the
// caller of another node hears it: the jobs go through the mesh to a node that keeps
// real books.
func TestRejectionCodesCrossTheMesh(t *testing.T) {
	worker := start(t, 21, func(c *Config) { c.StrangerLine = 100_000 })
	caller := start(t, 22, nil)
	_, err := caller.mesh.Connect(t.Context(), worker.mesh.Addrs()[0])
	require.NoError(t, err)
	cid, err := caller.Library.Publish("fault", capsules.Built(t, "fault"))
	require.NoError(t, err)

	payer := testkit.Key(23) // owns the ledger, is no node here
	ledger := identity.LedgerIDOf(payer.Public().(ed25519.PublicKey))
	owner := func(n byte) string {
		return string(testkit.Ledger(n))
	}
	revoked := identity.LedgerID(owner(24))
	require.NoError(t, worker.Ledger.OpenAccount(revoked, 100_000, time.Now()))
	require.NoError(t, worker.Ledger.Revoke(revoked, time.Now()))
	known := identity.LedgerID(owner(25))
	require.NoError(t, worker.Ledger.OpenAccount(known, 100_000, time.Now()))

	nonce := byte(0)
	voucher := func(s kernel.Submission, change func(*credit.Voucher)) credit.Voucher {
		nonce++
		v := credit.Voucher{LedgerID: ledger, JobID: s.Job.ID, MaxAmount: 50_000, Expires: time.Now().Add(time.Minute), Nonce: credit.Nonce{nonce}}
		if change != nil {
			change(&v)
		}
		return v
	}
	seal := func(v credit.Voucher, key ed25519.PrivateKey) []byte {
		raw, err := wire.Credit{}.SealVoucher(v, key)
		require.NoError(t, err)
		return raw
	}
	good := func(change func(*credit.Voucher)) func(kernel.Submission) []byte {
		return func(s kernel.Submission) []byte { return seal(voucher(s, change), payer) }
	}
	var used []byte
	for _, c := range []struct {
		code    string
		ledger  string
		voucher func(kernel.Submission) []byte
	}{
		{"ledger_missing", "", nil},
		{"ledger_malformed", "ledger:me", nil},
		{"ledger_unknown", owner(29), nil},
		{"ledger_revoked", string(revoked), nil},
		{"voucher_missing", string(known), nil},
		{"voucher_malformed", string(ledger), func(kernel.Submission) []byte { return []byte("no voucher") }},
		{"voucher_forged", string(ledger), func(s kernel.Submission) []byte { return seal(voucher(s, nil), testkit.Key(26)) }},
		{"voucher_expired", string(ledger), good(func(v *credit.Voucher) { v.Expires = time.Now().Add(-time.Minute) })},
		{"voucher_wrong_job", string(ledger), good(func(v *credit.Voucher) { v.JobID = uuid.Must(uuid.NewV7()).String() })},
		{"voucher_wrong_payee", string(ledger), good(func(v *credit.Voucher) { v.Payee = testkit.Peer(27) })},
		{"voucher_too_small", string(ledger), good(func(v *credit.Voucher) { v.MaxAmount = 1 })},
		{"ledger_exhausted", string(ledger), good(func(v *credit.Voucher) { v.MaxAmount = 500_000 })},
		{"", string(ledger), func(s kernel.Submission) []byte { used = good(nil)(s); return used }},
	} {
		budget := uint64(50_000)
		if c.code == "ledger_exhausted" {
			budget = 500_000
		}
		s := job(t, cid, c.ledger, budget)
		call := mesh.JobCall{Envelope: s.Envelope, Job: s.Job, Input: s.Input}
		if c.voucher != nil {
			call.Voucher = c.voucher(s)
		}
		out, err := caller.mesh.RunJob(t.Context(), worker.mesh.Self(), call, nil)
		require.NoError(t, err, c.code)
		require.Equal(t, c.code, out.Reason, out.Message)
		if c.code != "" {
			require.Equal(t, mesh.JobRejected, out.Code, c.code)
			d, ok := worker.Gate.Why(s.Job.ID)
			require.True(t, ok)
			require.Equal(t, c.code, d.Code, "inos.why says the same")
			continue
		}
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		again := mesh.JobCall{Envelope: s.Envelope, Job: s.Job, Input: s.Input, Voucher: used}
		out, err = caller.mesh.RunJob(t.Context(), worker.mesh.Self(), again, nil)
		require.NoError(t, err)
		require.Equal(t, "voucher_replayed", out.Reason)
	}
}

// job is one of a ledger's, for anybody.
func job(t *testing.T, cid capsule.CID, ledger string, budget uint64) kernel.Submission {
	s, err := submit.New(submit.Order{Capsule: cid, Method: "echo", Input: []byte("in"), Budget: budget, CreditLedgerID: ledger, Module: "test"}, time.Now())
	require.NoError(t, err)
	return s
}

// A request without an envelope, or with one whose DNA is not in order, is not looked at.
func TestRequestsCarryTheirDNA(t *testing.T) {
	worker := start(t, 31, nil)
	caller := start(t, 32, nil)
	_, err := caller.mesh.Connect(t.Context(), worker.mesh.Addrs()[0])
	require.NoError(t, err)
	nonce := make([]byte, 16)
	_, err = caller.mesh.Request(t.Context(), worker.mesh.Self(), mesh.RequestReceipt, nonce)
	require.Error(t, err, "bare")
	answer, err := caller.requests.Send(t.Context(), worker.mesh.Self(), mesh.RequestReceipt, nonce)
	require.NoError(t, err)
	require.Empty(t, answer, "no such voucher")
	env := caller.Kernel.Message(t.Context(), "note:receipt:v1", governance.Metadata{})
	env.Payload.Data, env.Timestamp = nonce, env.Timestamp.Add(-24*time.Hour)
	raw, err := wire.EncodeEnvelope(env)
	require.NoError(t, err)
	_, err = caller.mesh.Request(t.Context(), worker.mesh.Self(), mesh.RequestReceipt, raw)
	require.Error(t, err, "a day old")
}
