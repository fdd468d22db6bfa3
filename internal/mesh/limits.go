package mesh

import (
	"fmt"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/governance"
)

// Limits of messages, in bytes. A sender checks them before a node is chosen, and a receiver
// refuses what exceeds them. Governance limits a job's own fields: together they fit into
// MaxEnvelope.
const (
	MaxTransfer = 256 << 20          // one job's input or output, one capsule, one snapshot
	MaxRequest  = 1 << 20            // the frame that opens a job: envelope and voucher
	MaxVoucher  = credit.MaxVoucher  // a signed one
	MaxCommand  = 64 << 10           // a lifecycle command in its envelope
	MaxFeed     = 64 << 10           // the envelope that opens a feed
	MaxEnvelope = MaxRequest - 8<<10 // its texts and its payload; the rest is for the voucher, and what holds them
)

var (
	// ErrTooBig: it is larger than what may travel to another node. Advice: make smaller what the message names.
	ErrTooBig = fault.Final("too_big", "mesh: too big to be sent")
	// ErrEncode: the message could not be written for another node; nothing was sent. Advice: correct what the
	// message names.
	ErrEncode = fault.Final("not_encodable", "mesh: message cannot be encoded")
)

// Fits checks n bytes of what against a limit. Errors match ErrTooBig and name both figures.
func Fits(what string, n, atMost uint64) error {
	if n <= atMost {
		return nil
	}
	return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrTooBig, what, n, atMost)
}

// Fits checks the part of c's size that is known before a node is chosen. Errors match ErrTooBig.
func (c JobCall) Fits() error {
	if err := Fits("input", uint64(len(c.Input)), MaxTransfer); err != nil {
		return err
	}
	if err := Fits("voucher", uint64(len(c.Voucher)), MaxVoucher); err != nil {
		return err
	}
	return Fits("envelope", envelopeBytes(c.Envelope), MaxEnvelope)
}

// traceParent is the length of a W3C trace parent, which every message has when it is sent.
const traceParent = 55

// envelopeBytes returns the length of e's content. For an envelope of another node, whose fields
// may be unknown here, it is the most that they can add.
func envelopeBytes(e governance.Envelope) uint64 {
	m := &e.Metadata
	n := len(e.Payload.Data) + len(e.Wire) + max(len(m.TraceParent), traceParent)
	for _, s := range [...]string{e.ID, e.Type, m.ModuleID, m.UserID, m.DeviceID, m.TraceState, m.AuthToken, m.CreditLedgerID} {
		n += len(s)
	}
	return uint64(n)
}

// Travels checks a module or a snapshot against MaxTransfer. Errors match ErrTooBig.
func Travels(b []byte) error {
	if capsule.IsImage(b) {
		return Fits("snapshot", uint64(len(b)), MaxTransfer)
	}
	return Fits("capsule", uint64(len(b)), MaxTransfer)
}
