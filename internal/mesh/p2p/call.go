package p2p

import (
	"context"
	"fmt"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

var _ mesh.Caller = (*Mesh)(nil)

// Call implements mesh.Caller. It sends the frames of a job on a stream of their own, opened by an
// envelope with a CallRequest. The time that the caller waits travels instead of its deadline,
// since the two clocks may differ.
func (m *Mesh) Call(ctx context.Context, p identity.PeerID, call mesh.CapsuleCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	sent, err := m.turn(ctx, p, len(call.Input))
	if err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	defer sent()
	request, err := m.callRequest(ctx, call)
	if err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	return m.roundTrip(ctx, p, CallProtocol, request, call.Input, sent, onProgress)
}

// callRequest encodes the call's first frame. Errors match mesh.ErrTooBig or ErrEncode.
func (m *Mesh) callRequest(ctx context.Context, call mesh.CapsuleCall) ([]byte, error) {
	if err := mesh.Fits("input", uint64(len(call.Input)), m.cfg.maxTransfer); err != nil {
		return nil, err
	}
	request := wire.CallRequest{Capsule: call.Capsule, Method: call.Method, Args: call.Args, InputLength: uint64(len(call.Input))}
	if at, ok := ctx.Deadline(); ok {
		request.Timeout = max(time.Until(at), 1)
	}
	env, err := wire.WithCall(call.Envelope, request)
	var data []byte
	if err == nil {
		data, err = wire.SendEnvelope(env, m.cfg.Now())
	}
	if err == nil {
		data, err = wire.EncodeJobFrame(wire.JobFrame{Request: &wire.JobRequest{Envelope: data}})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: call: %w", mesh.ErrEncode, err)
	}
	return data, mesh.Fits("call request", uint64(len(data)), requestFrame)
}

// answerCall serves one call stream. The input stays in the stream until the handler asks for it.
// The handler's context ends when the caller cancels, resets the stream or goes away, and after the
// time that the caller waits.
func (m *Mesh) answerCall(ctx context.Context, from identity.PeerID, s *frames) error {
	data, err := s.read(requestFrame)
	if err != nil {
		return err
	}
	f, err := wire.DecodeJobFrame(data)
	if err != nil {
		return err
	}
	if f.Request == nil {
		return fmt.Errorf("%w: no request", mesh.ErrProtocol)
	}
	env, _, err := m.received(from, f.Request.Envelope)
	if err != nil {
		return err
	}
	r, err := wire.CallOf(env)
	if err != nil {
		return err
	}
	if r.InputLength > m.cfg.maxTransfer {
		return fmt.Errorf("%w: input of %d bytes, at most %d", mesh.ErrProtocol, r.InputLength, m.cfg.maxTransfer)
	}
	patience := jobTime
	if r.Timeout > 0 {
		patience = min(r.Timeout, jobTime)
	}
	call := mesh.CapsuleCall{Envelope: env, Capsule: r.Capsule, Method: r.Method, Args: r.Args}
	return m.serveJob(ctx, s, r.InputLength, time.Now().Add(patience), func(ctx context.Context, body bodyFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
		if n := m.limiter.openOf(s.s.Conn().RemotePeer(), CallProtocol); n > mesh.CallsAtOnce {
			return mesh.JobOutcome{Code: mesh.JobBusy, Reason: mesh.ErrCalls.Code(),
				Message: fmt.Sprintf("p2p: %d calls of yours are under way here: wait for one to end", mesh.CallsAtOnce)}
		}
		h, ok := m.cfg.Handler.(mesh.CallHandler)
		if !ok {
			return mesh.JobOutcome{Code: mesh.JobInternal, Reason: fault.Unsupported.Code(), Message: "p2p: no handler"}
		}
		call.Body, call.Length = body, r.InputLength
		return h.HandleCall(ctx, from, call, onProgress)
	})
}
