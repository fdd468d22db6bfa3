package p2p

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// RunJob sends call to p and blocks until the outcome. The node reports at least every third of the
// silence allowed. RunJob asks a silent node for a sign of life and gives it up without one.
// Errors: mesh.ErrUnreachable when the connection or the node goes away, ErrTimeout, ErrCancelled,
// ErrProtocol, ErrClosed. A job that failed on p is no error: see the outcome's Code.
func (m *Mesh) RunJob(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	sent, err := m.turn(ctx, p, len(call.Input))
	if err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	defer sent()
	if err := m.probe(ctx, p); err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	request, err := m.request(call)
	if err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	return m.roundTrip(ctx, p, JobProtocol, request, call.Input, sent, onProgress)
}

// roundTrip opens a stream of JobFrames with request, sends input behind it, calls sent and
// waits for the outcome.
func (m *Mesh) roundTrip(ctx context.Context, p identity.PeerID, id protocol.ID, request, input []byte, sent func(), onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	s, end, err := m.open(ctx, p, id)
	if err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	sending := make(chan error, 1)
	go func() {
		defer sent()
		sending <- sendJob(s, request, input)
	}()
	out, err := m.await(p, s, onProgress)
	select {
	case failed := <-sending:
		if err != nil && failed != nil {
			err = failed
		}
	default:
		// The node has answered without the input, or there is no answer: nobody wants
		// the rest.
		_ = s.s.ResetWithError(network.StreamNoError)
		<-sending
	}
	end(err)
	if err != nil && isTimeout(err) && ctx.Err() == nil {
		m.suspect(p)
		return mesh.JobOutcome{}, byLoss(s.s.Conn(), fmt.Errorf("%w: %s is silent: %w", mesh.ErrUnreachable, p, err))
	}
	return out, byLoss(s.s.Conn(), m.explain(ctx, p, err))
}

// request encodes the call's first frame. The job inside says how long the input
// is and what it may cost on this node, whatever the caller wrote there.
func (m *Mesh) request(call mesh.JobCall) ([]byte, error) {
	if err := call.Fits(); err != nil {
		return nil, err
	}
	if err := mesh.Fits("input", uint64(len(call.Input)), m.cfg.maxTransfer); err != nil {
		return nil, err
	}
	env := call.Envelope
	inside, err := wire.JobOf(env)
	if err != nil || inside.InputLength != uint64(len(call.Input)) || inside.Budget != call.Job.Budget {
		job := call.Job
		if err == nil {
			job = inside
		}
		job.InputLength, job.Budget = uint64(len(call.Input)), call.Job.Budget
		if env, err = wire.WithJob(env, job); err != nil {
			return nil, fmt.Errorf("%w: job: %w", mesh.ErrEncode, err)
		}
	}
	now := m.cfg.Now()
	envelope, err := wire.SendEnvelope(env, now)
	if err != nil {
		return nil, fmt.Errorf("%w: envelope: %w", mesh.ErrEncode, err)
	}
	request, err := wire.EncodeJobFrame(wire.JobFrame{Request: &wire.JobRequest{Envelope: envelope, Voucher: call.Voucher,
		Timeout: remaining(call.Job.Deadline, now)}})
	if err != nil {
		return nil, fmt.Errorf("%w: request: %w", mesh.ErrEncode, err)
	}
	return request, mesh.Fits("request", uint64(len(request)), requestFrame)
}

// remaining returns the time until deadline, which travels instead of it, since the two clocks may
// differ. 0 means that there is no deadline.
func remaining(deadline, now time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return max(deadline.Sub(now), 1)
}

func sendJob(s *frames, request, input []byte) error {
	if err := s.put(request); err != nil {
		return err
	}
	for len(input) > 0 {
		n := min(chunkBytes, len(input))
		frame, err := wire.EncodeJobFrame(wire.JobFrame{Input: input[:n]})
		if err != nil {
			return fmt.Errorf("%w: input: %w", mesh.ErrEncode, err)
		}
		if err := s.put(frame); err != nil {
			return err
		}
		input = input[n:]
	}
	return s.flush()
}

// await reads progress, the result and the output.
func (m *Mesh) await(p identity.PeerID, s *frames, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	var result *wire.JobResult
	var output []byte
	began := time.Now()
	from := s.s.Conn().RemotePeer()
	for {
		if result != nil && uint64(len(output)) == result.OutputLength {
			out := result.Outcome
			out.Output = output
			return out, nil
		}
		data, err := s.read(chunkFrame)
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return mesh.JobOutcome{}, err
		}
		m.peers.spoke(from)
		f, err := wire.DecodeJobFrame(data)
		if err != nil {
			return mesh.JobOutcome{}, err
		}
		switch {
		case f.Progress != nil && result == nil:
			if onProgress != nil {
				onProgress(*f.Progress)
			}
		case f.Result != nil && result == nil:
			if f.Result.OutputLength > m.cfg.maxTransfer {
				return mesh.JobOutcome{}, fmt.Errorf("%w: output of %d bytes, at most %d", mesh.ErrProtocol, f.Result.OutputLength, m.cfg.maxTransfer)
			}
			if f.Result.Outcome.Node != p {
				return mesh.JobOutcome{}, fmt.Errorf("%w: %s answers for %.80q", mesh.ErrProtocol, p, string(f.Result.Outcome.Node))
			}
			result = f.Result
			s.pace()
			defer s.unpace()
			result.Outcome.Hearsay(time.Since(began))
			m.retime(result.Outcome.Spans, p, result.SentAt)
		case f.Output != nil && result != nil && uint64(len(output)+len(f.Output)) <= result.OutputLength:
			output = append(output, f.Output...)
			s.discount(len(data) - len(f.Output))
		default:
			return mesh.JobOutcome{}, fmt.Errorf("%w: job frame out of place", mesh.ErrProtocol)
		}
	}
}
