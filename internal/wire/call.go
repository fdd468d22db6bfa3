package wire

import (
	"fmt"
	"time"

	"inos/internal/governance"
	systemv1 "inos/schema/system/v1"
)

// CallRequest opens a stream of /inos/call/1.
type CallRequest struct {
	Capsule     string
	Method      string
	Args        []string
	InputLength uint64        // bytes
	Timeout     time.Duration // how long the caller waits; 0: up to the node's limit
}

// WithCall returns env with r as its payload.
func WithCall(env governance.Envelope, r CallRequest) (governance.Envelope, error) {
	data, err := build(systemv1.NewRootCallRequest, func(s systemv1.CallRequest, p *put) {
		p.do(s.SetCapsuleId(r.Capsule))
		p.do(s.SetMethod(r.Method))
		p.texts(s.NewArgs, r.Args)
		s.SetInputLength(r.InputLength)
		s.SetTimeoutNs(r.Timeout.Nanoseconds())
	})
	if err != nil {
		return governance.Envelope{}, err
	}
	env.Payload = governance.Payload{TypeID: systemv1.CallRequest_TypeID, Data: data}
	return env, nil
}

// CallOf returns the request in env's payload. Errors match ErrMalformed.
func CallOf(env governance.Envelope) (r CallRequest, err error) {
	if env.Payload.TypeID != systemv1.CallRequest_TypeID {
		return r, fmt.Errorf("%w: payload type %#x is not a CallRequest", ErrMalformed, env.Payload.TypeID)
	}
	err = parse(env.Payload.Data, systemv1.ReadRootCallRequest, func(s systemv1.CallRequest, g *get) {
		r = CallRequest{
			Capsule: g.text(s.CapsuleId()), Method: g.text(s.Method()), Args: g.texts(s.Args()),
			InputLength: s.InputLength(), Timeout: time.Duration(s.TimeoutNs()),
		}
	})
	if err == nil && r.Timeout < 0 {
		err = fmt.Errorf("%w: a timeout below zero", ErrMalformed)
	}
	return r, err
}
