package wire

import (
	"errors"
	"fmt"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/mesh"
	systemv1 "inos/schema/system/v1"
)

// WithFeed returns env with the request to feed a capsule as its payload. window is how many
// unreported bytes the sender may have sent, 0 for any number.
func WithFeed(env governance.Envelope, capsuleID string, window uint32) (governance.Envelope, error) {
	data, err := build(systemv1.NewRootFeedRequest, func(s systemv1.FeedRequest, p *put) {
		p.do(s.SetCapsuleId(capsuleID))
		s.SetWindow(window)
	})
	if err != nil {
		return governance.Envelope{}, err
	}
	env.Payload = governance.Payload{TypeID: systemv1.FeedRequest_TypeID, Data: data}
	return env, nil
}

// FeedOf returns the id of the capsule to feed and the window from env's payload. Errors match
// ErrMalformed.
func FeedOf(env governance.Envelope) (capsuleID string, window uint32, err error) {
	if env.Payload.TypeID != systemv1.FeedRequest_TypeID {
		return "", 0, fmt.Errorf("%w: payload type %#x is not a FeedRequest", ErrMalformed, env.Payload.TypeID)
	}
	err = parse(env.Payload.Data, systemv1.ReadRootFeedRequest, func(s systemv1.FeedRequest, g *get) {
		capsuleID, window = g.text(s.CapsuleId()), s.Window()
	})
	return capsuleID, window, err
}

// FeedFrame is a node's report on /inos/feed/1: the end of the feed, or how many bytes the
// capsule has so far.
type FeedFrame struct {
	Taken uint64
	End   *mesh.FeedEnd
}

// EncodeFeedFrame writes f.
func EncodeFeedFrame(f FeedFrame) ([]byte, error) {
	return build(systemv1.NewRootFeedFrame, func(s systemv1.FeedFrame, p *put) {
		if f.End == nil {
			s.SetTaken(f.Taken)
			return
		}
		e, err := s.NewEnd()
		p.do(err)
		if p.err == nil {
			e.SetCode(systemv1.ReplyCode(f.End.Code))
			p.do(e.SetReason(f.End.Reason))
			p.do(e.SetMessage_(f.End.Message))
			e.SetTaken(f.End.Taken)
		}
	})
}

// DecodeFeedFrame reads a FeedFrame. Errors match ErrMalformed.
func DecodeFeedFrame(data []byte) (FeedFrame, error) {
	var f FeedFrame
	err := parse(data, systemv1.ReadRootFeedFrame, func(s systemv1.FeedFrame, g *get) {
		switch s.Which() {
		case systemv1.FeedFrame_Which_taken:
			f.Taken = s.Taken()
		case systemv1.FeedFrame_Which_end:
			e, err := s.End()
			g.keep(err)
			f.End = &mesh.FeedEnd{
				Code: capsule.ReplyCode(e.Code()), Reason: g.text(e.Reason()), Message: g.text(e.Message_()), Taken: e.Taken(),
			}
		default:
			g.keep(errors.New("unknown feed frame"))
		}
	})
	if err != nil {
		return FeedFrame{}, err
	}
	return f, nil
}
