package p2p

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"inos/internal/clock"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// jobTime bounds a job whose own deadline is later or missing.
const jobTime = time.Hour

// errCallerGone ends a job whose caller cancelled or went away.
var errCallerGone = fault.Internal("p2p: caller gone")

// signOfLife is how often a job's node reports, at least.
const signOfLife = 2 * time.Second

// answerJob serves one job stream: request and input in, progress, result and
// output out. The input stays in the stream, where QUIC's window holds it back,
// until the handler asks for it. The handler's context ends when the caller cancels,
// resets the stream or goes away, and at the job's deadline.
func (m *Mesh) answerJob(ctx context.Context, from identity.PeerID, s *frames) error {
	call, err := m.readRequest(from, s)
	if err != nil {
		return err
	}
	conn := s.s.Conn()
	call.Origin = networkOf(conn.RemoteMultiaddr(), conn.RemotePeer())
	m.answering.begin()
	defer m.answering.end()
	deadline := time.Now().Add(jobTime)
	if d := call.Job.Deadline; !d.IsZero() && d.Before(deadline) {
		deadline = d
	}
	return m.serveJob(ctx, s, call.Job.InputLength, deadline, func(ctx context.Context, body bodyFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
		call.Body = body
		return m.handleJob(ctx, from, call, onProgress)
	})
}

// bodyFunc reads the input of a job or of a call; it is called once at most.
type bodyFunc func(ctx context.Context) ([]byte, error)

// serveJob runs handle and sends what it says on s. It returns only after handle has.
func (m *Mesh) serveJob(ctx context.Context, s *frames, length uint64, deadline time.Time,
	handle func(ctx context.Context, body bodyFunc, onProgress func(mesh.Progress)) mesh.JobOutcome) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	listening := make(chan struct{})
	reads := false // the listener, or what takes its place
	listen := sync.OnceFunc(func() {
		reads = true
		go func() {
			defer close(listening)
			listenForCancel(s, gone)
		}()
	})
	if length == 0 {
		listen()
	}
	body := func(ctx context.Context) ([]byte, error) {
		if length == 0 { // it is the listener that reads
			return nil, context.Cause(ctx)
		}
		input, err := readInput(ctx, s, length)
		if err != nil {
			gone(err)
			return nil, err
		}
		listen()
		return input, nil
	}
	latest := make(chan mesh.Progress, 1) // a newer report replaces one not yet sent
	ended := make(chan mesh.JobOutcome, 1)
	// Not goWork, which starts nothing once the mesh closes: report waits for the end.
	go func() { ended <- handle(ctx, body, func(p mesh.Progress) { replace(latest, p) }) }()
	err := m.report(ctx, gone, s, latest, ended)
	if !reads { // an input that nobody wanted may still be on its way
		go func() {
			defer close(listening)
			discard(s)
		}()
	}
	if err == nil {
		m.untilHeard(listening)
	}
	gone(errCallerGone)
	_ = s.s.CloseRead() // frees the listener, and a caller that still sends
	<-listening
	return err
}

// replace puts p into latest, in the place of what nobody has taken yet.
func replace(latest chan mesh.Progress, p mesh.Progress) {
	for {
		select {
		case latest <- p:
			return
		default:
		}
		select {
		case <-latest:
		default:
		}
	}
}

// readInput reads length bytes of input frames. It gives up an input that comes too slowly with
// mesh.ErrTimeout.
func readInput(ctx context.Context, s *frames, length uint64) (input []byte, err error) {
	s.pace()
	defer s.unpace()
	defer context.AfterFunc(ctx, func() { s.readUntil(time.Unix(1, 0)) })()
	for uint64(len(input)) < length {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		data, err := s.read(chunkFrame)
		if err != nil {
			switch cause := context.Cause(ctx); {
			case cause != nil:
				err = cause
			case isTimeout(err):
				err = fmt.Errorf("%w: %d of %d bytes of input came, and of the next ones less than %d bytes a second for %s",
					mesh.ErrTimeout, len(input), length, leastRate, s.silence)
			}
			return nil, err
		}
		f, err := wire.DecodeJobFrame(data)
		if err != nil {
			return nil, err
		}
		if len(f.Input) == 0 || uint64(len(input)+len(f.Input)) > length {
			return nil, fmt.Errorf("%w: input frame", mesh.ErrProtocol)
		}
		input = append(input, f.Input...)
		s.discount(len(data) - len(f.Input))
	}
	return input, nil
}

func (m *Mesh) readRequest(from identity.PeerID, s *frames) (mesh.JobCall, error) {
	data, err := s.read(requestFrame)
	if err != nil {
		return mesh.JobCall{}, err
	}
	f, err := wire.DecodeJobFrame(data)
	if err != nil {
		return mesh.JobCall{}, err
	}
	if f.Request == nil {
		return mesh.JobCall{}, fmt.Errorf("%w: no request", mesh.ErrProtocol)
	}
	now := m.cfg.Now()
	env, ahead, err := wire.ReceiveEnvelope(f.Request.Envelope, now, m.ahead(from))
	if err != nil {
		return mesh.JobCall{}, err
	}
	job, err := wire.JobOf(env)
	if err != nil {
		return mesh.JobCall{}, err
	}
	if job.InputLength > m.cfg.maxTransfer {
		return mesh.JobCall{}, fmt.Errorf("%w: input of %d bytes, at most %d", mesh.ErrProtocol, job.InputLength, m.cfg.maxTransfer)
	}
	if f.Request.Timeout > 0 {
		job.Deadline = now.Add(f.Request.Timeout)
	} else {
		job.Deadline = clock.Here(job.Deadline, ahead, now)
	}
	call := mesh.JobCall{Envelope: env, Job: job, Ahead: ahead}
	if len(f.Request.Voucher) > 0 {
		call.Voucher = f.Request.Voucher
	}
	return call, nil
}

// listenForCancel reads until the caller cancels, breaks the stream or violates the protocol. A
// caller that only stops sending still waits for the outcome.
func listenForCancel(s *frames, gone context.CancelCauseFunc) {
	_ = s.s.SetReadDeadline(time.Time{}) // the caller owes nothing more
	data, err := s.readPatiently(requestFrame)
	switch {
	case err == io.EOF:
		return
	case err == nil:
		err = mesh.ErrProtocol
		if f, bad := wire.DecodeJobFrame(data); bad == nil && f.Cancel {
			err = errCallerGone
		}
	}
	gone(err)
}

func (m *Mesh) handleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) mesh.JobOutcome {
	if m.cfg.Handler == nil {
		return mesh.JobOutcome{JobID: call.Job.ID, Code: mesh.JobInternal, Message: "p2p: no handler"}
	}
	fetch := func(ctx context.Context, call mesh.FetchCall) (mesh.Blob, error) {
		return m.FetchCapsule(ctx, from, call)
	}
	return m.cfg.Handler.HandleJob(ctx, from, call, fetch, onProgress)
}

// report sends the handler's progress. Without new progress it repeats the last report, so that the
// caller can tell a long job from a dead node. It returns only after the handler has.
func (m *Mesh) report(ctx context.Context, stop context.CancelCauseFunc, s *frames, latest <-chan mesh.Progress, ended <-chan mesh.JobOutcome) error {
	alive := time.NewTicker(min(m.cfg.StallTimeout/3, signOfLife))
	defer alive.Stop()
	var last mesh.Progress
	var failed error
	gone := ctx.Done()
	for {
		select {
		case last = <-latest:
		case <-alive.C:
		case <-gone:
			gone = nil
			if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
				failed = cause
			}
			continue
		case out := <-ended:
			defer out.LetGo()
			if failed != nil {
				return failed
			}
			return m.sendOutcome(s, out)
		}
		if failed != nil {
			continue
		}
		if failed = sendFrame(s, wire.JobFrame{Progress: &last}); failed != nil {
			stop(failed) // a caller that takes nothing gets nothing done
		}
	}
}

func sendFrame(s *frames, f wire.JobFrame) error {
	data, err := wire.EncodeJobFrame(f)
	if err != nil {
		return err
	}
	return s.send(data)
}

func (m *Mesh) sendOutcome(s *frames, out mesh.JobOutcome) error {
	output := out.Output
	if uint64(len(output)) > m.cfg.maxTransfer {
		out.Code, out.Message, output = mesh.JobFailed, fmt.Sprintf("p2p: output of %d bytes, at most %d", len(output), m.cfg.maxTransfer), nil
		out.Reason, out.OutputCID, out.Receipt, out.Cost = mesh.ErrTooBig.Code(), "", nil, 0 // the receipt speaks of an output that does not travel
	}
	out.Node, out.Output, out.Sent = m.self, nil, nil
	data, err := wire.EncodeJobFrame(wire.JobFrame{Result: &wire.JobResult{Outcome: out, OutputLength: uint64(len(output)), SentAt: m.cfg.Now()}})
	if err != nil {
		return err
	}
	if err := s.put(data); err != nil {
		return err
	}
	for len(output) > 0 {
		n := min(chunkBytes, len(output))
		data, err := wire.EncodeJobFrame(wire.JobFrame{Output: output[:n]})
		if err != nil {
			return err
		}
		if err := s.put(data); err != nil {
			return err
		}
		output = output[n:]
	}
	return s.flush()
}
