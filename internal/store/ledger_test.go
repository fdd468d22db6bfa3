//go:build !js

package store_test

import (
	"crypto/ed25519"
	"errors"

	"inos/internal/credit"
	"inos/internal/identity"
)

func keyOf(n byte) ed25519.PublicKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

var (
	payer  = identity.LedgerIDOf(keyOf(1))
	worker = identity.PeerIDOf(keyOf(2))
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
