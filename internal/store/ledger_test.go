//go:build !js

package store_test

import (
	"crypto/ed25519"
	"errors"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/testkit"
)

var (
	payer  = testkit.Ledger(1)
	worker = testkit.Peer(2)
)

// noCodec is for ledgers that see no signed message.
type noCodec struct{}

var errNoCodec = errors.New("no codec here")

func (noCodec) SealVoucher(credit.Voucher, ed25519.PrivateKey) ([]byte, error) {
	return nil, errNoCodec
}
func (noCodec) OpenVoucher([]byte) (v credit.Voucher, p identity.PeerID, err error) {
	return v, p, errNoCodec
}
func (noCodec) SealReceipt(credit.Receipt, ed25519.PrivateKey) ([]byte, error) {
	return nil, errNoCodec
}
func (noCodec) OpenReceipt([]byte) (r credit.Receipt, p identity.PeerID, err error) {
	return r, p, errNoCodec
}
func (noCodec) SealCheque(credit.Cheque, ed25519.PrivateKey) ([]byte, error) { return nil, errNoCodec }
func (noCodec) OpenCheque([]byte) (c credit.Cheque, p identity.PeerID, err error) {
	return c, p, errNoCodec
}
