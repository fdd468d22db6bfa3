package wire_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// FuzzSealed signs arbitrary payloads, as a hostile signer can. Whatever opens must survive
// being sealed and opened again.
func FuzzSealed(f *testing.F) {
	k := testkit.Key(1)
	pub := k.Public().(ed25519.PublicKey)
	at := time.Unix(0, 1<<60).UTC()
	var money wire.Credit
	var policies wire.Policies
	seed := func(domain string, signed []byte, err error) {
		require.NoError(f, err)
		payload, _, err := wire.Open(domain, signed)
		require.NoError(f, err)
		f.Add(payload)
	}
	voucher, err := money.SealVoucher(credit.Voucher{LedgerID: identity.LedgerIDOf(pub), JobID: "j", Payee: "p", MaxAmount: 5, Expires: at, Nonce: credit.Nonce{1}}, k)
	seed(wire.DomainVoucher, voucher, err)
	receipt, err := money.SealReceipt(credit.Receipt{JobID: "j", Worker: "w", CapsuleCID: "c", Cost: 7, StartedAt: at, FinishedAt: at, Code: 3}, k)
	seed(wire.DomainReceipt, receipt, err)
	cheque, err := money.SealCheque(credit.Cheque{Drawer: "d", Payee: "p", Sequence: 1, Paid: 2, Offset: 3, IssuedAt: at}, k)
	seed(wire.DomainCheque, cheque, err)
	policy, err := policies.SealPolicy(governance.Policy{Name: "n", Version: 2, Issued: at, Capabilities: []string{"gpu"},
		Ledgers:   []governance.LedgerRule{{Ledger: identity.LedgerIDOf(pub), Deny: true}},
		Lifecycle: []governance.LifecycleRule{{Commands: []capsule.CommandType{capsule.Kill}}},
		Quiet:     []governance.QuietHours{{From: 1, To: 2}}}, k)
	seed(wire.DomainPolicy, policy, err)
	manifest, err := wire.SealManifest(capsule.Manifest{Chunks: [][32]byte{{1}}}, k)
	seed(wire.DomainManifest, manifest, err)

	f.Fuzz(func(t *testing.T, payload []byte) {
		signed := func(domain string) []byte {
			b, err := wire.Seal(domain, payload, k)
			require.NoError(t, err)
			return b
		}
		if v, signer, err := money.OpenVoucher(signed(wire.DomainVoucher)); err == nil {
			require.Equal(t, identity.PeerIDOf(pub), signer)
			again(t, v, money.SealVoucher, money.OpenVoucher)
		}
		if r, _, err := money.OpenReceipt(signed(wire.DomainReceipt)); err == nil {
			again(t, r, money.SealReceipt, money.OpenReceipt)
		}
		if c, _, err := money.OpenCheque(signed(wire.DomainCheque)); err == nil {
			again(t, c, money.SealCheque, money.OpenCheque)
		}
		if p, _, err := policies.OpenPolicy(signed(wire.DomainPolicy)); err == nil && p.Check() == nil {
			again(t, p, policies.SealPolicy, policies.OpenPolicy)
			text, err := governance.ParsePolicy(p.String())
			require.NoError(t, err)
			require.Equal(t, p.String(), text.String())
		}
		_, _, _ = wire.OpenManifest(signed(wire.DomainManifest))
		if owner, err := wire.OpenOwnership(signed(wire.DomainOwner), identity.PeerID(payload)); err != nil || owner != identity.PeerIDOf(pub) {
			t.Fatalf("owner %q: %v", owner, err)
		}
	})
}

func again[T any](t *testing.T, v T, seal func(T, ed25519.PrivateKey) ([]byte, error), open func([]byte) (T, identity.PeerID, error)) {
	b, err := seal(v, testkit.Key(1))
	require.NoError(t, err)
	got, _, err := open(b)
	require.NoError(t, err)
	require.Equal(t, v, got)
}
