package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"inos/internal/credit"
	"inos/internal/identity"
	systemv1 "inos/schema/system/v1"
)

// Credit is the credit.Codec of schema/system/v1. The zero value works.
type Credit struct{}

var _ credit.Codec = Credit{}

// SealVoucher implements credit.Codec.
func (Credit) SealVoucher(v credit.Voucher, key ed25519.PrivateKey) ([]byte, error) {
	return seal(DomainVoucher, key)(build(systemv1.NewRootVoucher, func(s systemv1.Voucher, p *put) {
		p.do(s.SetLedgerId(string(v.LedgerID)))
		p.do(s.SetJobId(v.JobID))
		p.do(s.SetPayee(string(v.Payee)))
		s.SetMaxAmount(v.MaxAmount)
		s.SetExpires(nanos(v.Expires))
		p.do(s.SetNonce(v.Nonce[:]))
	}))
}

// OpenVoucher implements credit.Codec.
func (Credit) OpenVoucher(data []byte) (v credit.Voucher, signer identity.PeerID, err error) {
	signer, err = unseal(DomainVoucher, data, systemv1.ReadRootVoucher, func(s systemv1.Voucher, g *get) {
		v = credit.Voucher{
			LedgerID:  identity.LedgerID(g.text(s.LedgerId())),
			JobID:     g.text(s.JobId()),
			Payee:     identity.PeerID(g.text(s.Payee())),
			MaxAmount: s.MaxAmount(),
			Expires:   instant(s.Expires()),
			Nonce:     g.nonce(s.Nonce()),
		}
	})
	return v, signer, err
}

// SealReceipt implements credit.Codec.
func (Credit) SealReceipt(r credit.Receipt, key ed25519.PrivateKey) ([]byte, error) {
	return seal(DomainReceipt, key)(build(systemv1.NewRootReceipt, func(s systemv1.Receipt, p *put) {
		p.do(s.SetJobId(r.JobID))
		p.do(s.SetLedgerId(string(r.LedgerID)))
		p.do(s.SetWorker(string(r.Worker)))
		p.do(s.SetCapsuleCid(r.CapsuleCID))
		p.do(s.SetInputCid(r.InputCID))
		p.do(s.SetOutputCid(r.OutputCID))
		s.SetCost(r.Cost)
		s.SetStartedAt(nanos(r.StartedAt))
		s.SetFinishedAt(nanos(r.FinishedAt))
		p.do(s.SetVoucherNonce(r.VoucherNonce[:]))
		s.SetCode(r.Code)
	}))
}

// OpenReceipt implements credit.Codec.
func (Credit) OpenReceipt(data []byte) (r credit.Receipt, signer identity.PeerID, err error) {
	signer, err = unseal(DomainReceipt, data, systemv1.ReadRootReceipt, func(s systemv1.Receipt, g *get) {
		r = credit.Receipt{
			JobID:        g.text(s.JobId()),
			LedgerID:     identity.LedgerID(g.text(s.LedgerId())),
			Worker:       identity.PeerID(g.text(s.Worker())),
			CapsuleCID:   g.text(s.CapsuleCid()),
			InputCID:     g.text(s.InputCid()),
			OutputCID:    g.text(s.OutputCid()),
			Cost:         s.Cost(),
			StartedAt:    instant(s.StartedAt()),
			FinishedAt:   instant(s.FinishedAt()),
			VoucherNonce: g.nonce(s.VoucherNonce()),
			Code:         s.Code(),
		}
	})
	return r, signer, err
}

// SealCheque implements credit.Codec.
func (Credit) SealCheque(c credit.Cheque, key ed25519.PrivateKey) ([]byte, error) {
	return seal(DomainCheque, key)(build(systemv1.NewRootCheque, func(s systemv1.Cheque, p *put) {
		p.do(s.SetDrawer(string(c.Drawer)))
		p.do(s.SetPayee(string(c.Payee)))
		s.SetSequence(c.Sequence)
		s.SetPaid(c.Paid)
		s.SetOffset(c.Offset)
		s.SetIssuedAt(nanos(c.IssuedAt))
	}))
}

// OpenCheque implements credit.Codec.
func (Credit) OpenCheque(data []byte) (c credit.Cheque, signer identity.PeerID, err error) {
	signer, err = unseal(DomainCheque, data, systemv1.ReadRootCheque, func(s systemv1.Cheque, g *get) {
		c = credit.Cheque{
			Drawer:   identity.PeerID(g.text(s.Drawer())),
			Payee:    identity.PeerID(g.text(s.Payee())),
			Sequence: s.Sequence(),
			Paid:     s.Paid(),
			Offset:   s.Offset(),
			IssuedAt: instant(s.IssuedAt()),
		}
	})
	return c, signer, err
}

// seal returns a function that signs the result of a build.
func seal(domain string, key ed25519.PrivateKey) func([]byte, error) ([]byte, error) {
	return func(payload []byte, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return Seal(domain, payload, key)
	}
}

// unseal opens a signed message of the economy. When the signature does not verify, the error
// matches credit.ErrSignature too.
func unseal[T root](domain string, data []byte, readRoot readRoot[T], read func(T, *get)) (identity.PeerID, error) {
	payload, signer, err := Open(domain, data)
	if errors.Is(err, ErrSignature) {
		return "", fmt.Errorf("%w: %w", credit.ErrSignature, err)
	}
	if err != nil {
		return "", err
	}
	return signer, parse(payload, readRoot, read)
}

func (g *get) nonce(b []byte, err error) (n credit.Nonce) {
	g.keep(err)
	if len(b) != len(n) {
		g.keep(fmt.Errorf("nonce of %d bytes", len(b)))
		return n
	}
	return credit.Nonce(b)
}
