package wire_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/testkit"
	"inos/internal/wire"
)

func TestCreditRoundTrip(t *testing.T) {
	k := testkit.Key(5)
	pub := k.Public().(ed25519.PublicKey)
	me, at := identity.PeerIDOf(pub), time.Unix(0, 99).UTC()
	var codec wire.Credit

	voucher := credit.Voucher{LedgerID: identity.LedgerIDOf(pub), JobID: "j", Payee: "p", MaxAmount: 1 << 60, Expires: at, Nonce: credit.Nonce{1, 2}}
	b, err := codec.SealVoucher(voucher, k)
	require.NoError(t, err)
	gotVoucher, signer, err := codec.OpenVoucher(b)
	require.NoError(t, err)
	require.Equal(t, voucher, gotVoucher)
	require.Equal(t, me, signer)

	receipt := credit.Receipt{JobID: "j", LedgerID: voucher.LedgerID, Worker: me, CapsuleCID: "c", InputCID: "i", OutputCID: "o",
		Cost: 7, StartedAt: at, FinishedAt: at.Add(time.Second), VoucherNonce: voucher.Nonce, Code: 3}
	b, err = codec.SealReceipt(receipt, k)
	require.NoError(t, err)
	gotReceipt, _, err := codec.OpenReceipt(b)
	require.NoError(t, err)
	require.Equal(t, receipt, gotReceipt)

	cheque := credit.Cheque{Drawer: me, Payee: "p", Sequence: 2, Paid: 3, Offset: 4, IssuedAt: at}
	b, err = codec.SealCheque(cheque, k)
	require.NoError(t, err)
	gotCheque, _, err := codec.OpenCheque(b)
	require.NoError(t, err)
	require.Equal(t, cheque, gotCheque)

	_, _, err = codec.OpenVoucher(b)
	require.ErrorIs(t, err, credit.ErrSignature, "a cheque is no voucher")
	_, _, err = codec.OpenVoucher([]byte("not a message"))
	require.ErrorIs(t, err, wire.ErrMalformed)
	require.NotErrorIs(t, err, credit.ErrSignature)
}
