package wire

import (
	"fmt"
	"time"

	capnp "capnproto.org/go/capnp/v3"

	"inos/internal/clock"
	"inos/internal/governance"
	systemv1 "inos/schema/system/v1"
)

// EncodeEnvelope writes e, without a sending time. When e.Wire holds the envelope as it arrived,
// fields that this program does not know are copied from it.
func EncodeEnvelope(e governance.Envelope) ([]byte, error) { return SendEnvelope(e, time.Time{}) }

// SendEnvelope is EncodeEnvelope with the sending time now, by the sender's own clock.
func SendEnvelope(e governance.Envelope, now time.Time) ([]byte, error) {
	_, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	var src systemv1.Envelope
	if len(e.Wire) > 0 {
		msg, err := open(e.Wire)
		if err != nil {
			return nil, err
		}
		if src, err = systemv1.ReadRootEnvelope(msg); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
		}
	}
	var p put
	own, err := systemv1.NewEnvelope(seg)
	p.do(err)
	env := systemv1.Envelope(widen(&p, seg, capnp.Struct(own), capnp.Struct(src)))
	p.do(seg.Message().SetRoot(capnp.Struct(env).ToPtr()))

	ownMeta, err := systemv1.NewMetadata(seg)
	p.do(err)
	srcMeta, err := src.Metadata()
	p.do(err)
	meta := systemv1.Metadata(widen(&p, seg, capnp.Struct(ownMeta), capnp.Struct(srcMeta)))
	p.do(env.SetMetadata(meta))

	ownLoad, err := systemv1.NewPayload(seg)
	p.do(err)
	srcLoad, err := src.Payload()
	p.do(err)
	load := systemv1.Payload(widen(&p, seg, capnp.Struct(ownLoad), capnp.Struct(srcLoad)))
	p.do(env.SetPayload(load))
	if p.err != nil {
		return nil, fmt.Errorf("wire: %w", p.err)
	}

	p.do(env.SetId(e.ID))
	p.do(env.SetType(e.Type))
	if env.SetTimestamp(nanos(e.Timestamp)); !now.IsZero() {
		env.SetTimestamp(nanos(clock.Told(e.Timestamp, now)))
	}
	env.SetSentAt(nanos(now))
	env.SetVersion(e.Version)
	p.do(meta.SetModuleId(e.Metadata.ModuleID))
	p.do(meta.SetUserId(e.Metadata.UserID))
	p.do(meta.SetDeviceId(e.Metadata.DeviceID))
	p.do(meta.SetTraceParent(e.Metadata.TraceParent))
	p.do(meta.SetTraceState(e.Metadata.TraceState))
	p.do(meta.SetAuthToken(e.Metadata.AuthToken))
	p.do(meta.SetCreditLedgerId(e.Metadata.CreditLedgerID))
	meta.SetVersion(e.Metadata.Version)
	load.SetTypeId(e.Payload.TypeID)
	p.do(load.SetData(e.Payload.Data))
	return finish(seg.Message(), p.err)
}

// widen returns own, or, when src is a struct of a newer schema with room for more, a struct of
// the larger of both sizes with src's content in it.
func widen(p *put, seg *capnp.Segment, own, src capnp.Struct) capnp.Struct {
	if p.err != nil || !src.IsValid() {
		return own
	}
	size := own.Size()
	size.DataSize = max(size.DataSize, src.Size().DataSize)
	size.PointerCount = max(size.PointerCount, src.Size().PointerCount)
	if size != own.Size() {
		wide, err := capnp.NewStruct(seg, size)
		p.do(err)
		own = wide
	}
	p.do(own.CopyFrom(src))
	return own
}

// copies fails when any part of env cannot be copied, including fields that this program does
// not know. So what is accepted here can be forwarded.
func copies(env systemv1.Envelope) error {
	scratch, _, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		return err
	}
	return scratch.SetRoot(env.ToPtr())
}

// DecodeEnvelope reads an envelope and stores a copy of data in its Wire. Its times are by the
// sender's clock. Errors match ErrMalformed.
func DecodeEnvelope(data []byte) (governance.Envelope, error) {
	e, _, err := decodeEnvelope(data)
	return e, err
}

// ReceiveEnvelope is DecodeEnvelope for a node that receives data at now, by its own clock, and
// converts the envelope's times to that clock. ahead is how far the sender's clock is ahead of
// it, less the time on the way. It is computed from the sending time, or is known when there is
// none.
func ReceiveEnvelope(data []byte, now time.Time, known time.Duration) (e governance.Envelope, ahead time.Duration, err error) {
	e, sent, err := decodeEnvelope(data)
	if err != nil {
		return e, 0, err
	}
	if ahead = known; !sent.IsZero() {
		ahead = sent.Sub(now)
	}
	e.Timestamp = clock.Here(e.Timestamp, ahead, now)
	return e, ahead, nil
}

func decodeEnvelope(data []byte) (governance.Envelope, time.Time, error) {
	var e governance.Envelope
	var sent time.Time
	err := parse(data, systemv1.ReadRootEnvelope, func(s systemv1.Envelope, g *get) {
		e.ID = g.text(s.Id())
		e.Type = g.text(s.Type())
		e.Timestamp = instant(s.Timestamp())
		e.Version = s.Version()
		sent = instant(s.SentAt())
		m, err := s.Metadata()
		g.keep(err)
		e.Metadata = governance.Metadata{
			ModuleID:       g.text(m.ModuleId()),
			UserID:         g.text(m.UserId()),
			DeviceID:       g.text(m.DeviceId()),
			TraceParent:    g.text(m.TraceParent()),
			TraceState:     g.text(m.TraceState()),
			AuthToken:      g.text(m.AuthToken()),
			CreditLedgerID: g.text(m.CreditLedgerId()),
			Version:        m.Version(),
		}
		load, err := s.Payload()
		g.keep(err)
		e.Payload = governance.Payload{TypeID: load.TypeId(), Data: g.data(load.Data())}
		g.keep(copies(s))
	})
	if err != nil {
		return governance.Envelope{}, sent, err
	}
	e.Wire = append([]byte(nil), data...)
	return e, sent, nil
}
