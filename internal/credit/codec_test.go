package credit

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"time"

	"inos/internal/identity"
)

// plainCodec signs JSON. It stands in for internal/wire, which a pure package may
// not import; wire's own tests cover the bytes that travel.
type plainCodec struct{}

type plainSealed struct {
	Domain string
	Body   json.RawMessage
	Key    []byte
	Sig    []byte
}

func plainSeal(domain string, v any, k ed25519.PrivateKey) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plainSealed{domain, body, k.Public().(ed25519.PublicKey),
		ed25519.Sign(k, append([]byte(domain+"\x00"), body...))})
}

func plainOpen(domain string, raw []byte, v any) (identity.PeerID, error) {
	var s plainSealed
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", err
	}
	if s.Domain != domain || len(s.Key) != ed25519.PublicKeySize {
		return "", errors.New("not a " + domain)
	}
	if !ed25519.Verify(s.Key, append([]byte(domain+"\x00"), s.Body...), s.Sig) {
		return "", ErrSignature
	}
	return identity.PeerIDOf(s.Key), json.Unmarshal(s.Body, v)
}

func (plainCodec) SealVoucher(v Voucher, k ed25519.PrivateKey) ([]byte, error) {
	return plainSeal("voucher", v, k)
}
func (plainCodec) OpenVoucher(b []byte) (v Voucher, p identity.PeerID, err error) {
	p, err = plainOpen("voucher", b, &v)
	return
}
func (plainCodec) SealReceipt(r Receipt, k ed25519.PrivateKey) ([]byte, error) {
	return plainSeal("receipt", r, k)
}
func (plainCodec) OpenReceipt(b []byte) (r Receipt, p identity.PeerID, err error) {
	p, err = plainOpen("receipt", b, &r)
	return
}
func (plainCodec) SealCheque(c Cheque, k ed25519.PrivateKey) ([]byte, error) {
	return plainSeal("cheque", c, k)
}
func (plainCodec) OpenCheque(b []byte) (c Cheque, p identity.PeerID, err error) {
	p, err = plainOpen("cheque", b, &c)
	return
}

func testJob(n int) string {
	return jobKey{0: 1, 6: 0x70, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}.String()
}

var testNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
