package wire

import (
	"fmt"

	"inos/internal/capsule"
	systemv1 "inos/schema/system/v1"
)

// Capsules is the capsule.Codec of schema/system/v1. The zero value works.
type Capsules struct{}

var _ capsule.Codec = Capsules{}

// Encode implements capsule.Codec.
func (Capsules) Encode(msg any) (capsule.FrameKind, []byte, error) {
	switch m := msg.(type) {
	case capsule.Command:
		b, err := EncodeCommand(m)
		return capsule.FrameCommand, b, err
	case capsule.Reserve:
		b, err := build(systemv1.NewRootReserveCmd, func(s systemv1.ReserveCmd, _ *put) {
			s.SetTicket(m.Ticket)
			s.SetBytes(m.Bytes)
		})
		return capsule.FrameReserve, b, err
	case capsule.Run:
		b, err := build(systemv1.NewRootRunCmd, func(s systemv1.RunCmd, p *put) {
			s.SetTicket(m.Ticket)
			p.do(s.SetMethod(m.Method))
			p.texts(s.NewArgs, m.Args)
			s.SetInputOffset(m.Offset)
			s.SetInputLength(m.Length)
		})
		return capsule.FrameRun, b, err
	case capsule.Release:
		b, err := build(systemv1.NewRootReleaseCmd, func(s systemv1.ReleaseCmd, _ *put) {
			s.SetTicket(m.Ticket)
		})
		return capsule.FrameRelease, b, err
	}
	return 0, nil, fmt.Errorf("wire: no capsule frame for %T", msg)
}

// Decode implements capsule.Codec.
func (Capsules) Decode(kind capsule.FrameKind, payload []byte) (any, error) {
	switch kind {
	case capsule.FrameReply:
		return orNil(DecodeReply(payload))
	case capsule.FrameHeartbeat:
		return orNil(DecodeHeartbeat(payload))
	case capsule.FrameReserved:
		var m capsule.Reserved
		err := parse(payload, systemv1.ReadRootReserveReply, func(s systemv1.ReserveReply, _ *get) {
			m = capsule.Reserved{Ticket: s.Ticket(), OK: s.Code() == systemv1.ReserveCode_ok, Offset: s.Offset(), Length: s.Length()}
		})
		return orNil(m, err)
	case capsule.FrameRunDone:
		var m capsule.RunDone
		err := parse(payload, systemv1.ReadRootRunReply, func(s systemv1.RunReply, g *get) {
			m = capsule.RunDone{
				Ticket: s.Ticket(), Code: capsule.RunCode(s.Code()), Message: g.text(s.Message_()),
				Offset: s.OutputOffset(), Length: s.OutputLength(),
			}
		})
		return orNil(m, err)
	case capsule.FrameLog:
		var m capsule.Log
		err := parse(payload, systemv1.ReadRootLogEvent, func(s systemv1.LogEvent, g *get) {
			m = capsule.Log{Level: s.Level(), Text: g.text(s.Text()), Ticket: s.Ticket()}
		})
		return orNil(m, err)
	case capsule.FrameProgress:
		var m capsule.Progress
		err := parse(payload, systemv1.ReadRootProgressEvent, func(s systemv1.ProgressEvent, _ *get) {
			m = capsule.Progress{Ticket: s.Ticket(), Done: s.Done(), Total: s.Total()}
		})
		return orNil(m, err)
	}
	return nil, fmt.Errorf("%w: capsule frame kind %d", ErrMalformed, kind)
}

func orNil[T any](m T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}
