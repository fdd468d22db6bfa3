package inproc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"inos/internal/capsule"
	"inos/internal/clock"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// progressInFlight bounds the reports on their way to a caller; when full, the
// newest is dropped.
const progressInFlight = 64

// wait sleeps for d or until ctx, the caller's life or the callee's ends.
// callee may be nil.
func wait(ctx, caller, callee context.Context, d time.Duration) error {
	if err := mesh.ContextError(ctx); err != nil {
		return err
	}
	var gone <-chan struct{}
	if callee != nil {
		gone = callee.Done()
		if callee.Err() != nil {
			return mesh.ErrUnreachable
		}
	}
	if d <= 0 {
		return nil
	}
	var arrived <-chan time.Time // nil: never
	if d < forever/2 {
		t := time.NewTimer(d)
		defer t.Stop()
		arrived = t.C
	}
	select {
	case <-arrived:
		return nil
	case <-ctx.Done():
		return mesh.ContextError(ctx)
	case <-caller.Done():
		return mesh.ErrUnreachable
	case <-gone:
		return mesh.ErrUnreachable
	}
}

// forever is the delay of a dropped link: wait does not return by itself.
const forever = time.Duration(1<<63 - 1)

func (m *Member) oneWay(to identity.PeerID) time.Duration {
	if d, ok := m.net.link(m.self, to); ok {
		return d
	}
	return forever
}

// reach connects to p unless already connected; it takes a round trip.
func (m *Member) reach(ctx context.Context, p identity.PeerID) error {
	_, _, _, err := m.dial(ctx, p)
	return err
}

func (m *Member) dial(ctx context.Context, p identity.PeerID) (other *Member, caller, callee context.Context, err error) {
	if caller, err = m.alive(); err != nil {
		return nil, nil, nil, err
	}
	other = m.net.member(p)
	if other == nil || other == m {
		return nil, nil, nil, fmt.Errorf("%w: %s", mesh.ErrUnreachable, p)
	}
	if callee, err = other.alive(); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %s", mesh.ErrUnreachable, p)
	}
	if !m.connected(p) {
		if other.isDeaf() {
			return nil, nil, nil, fmt.Errorf("%w: %s does not listen", mesh.ErrUnreachable, p)
		}
		if d := m.oneWay(p); d > 0 {
			if err := wait(ctx, caller, callee, min(d, forever/2)*2); err != nil {
				return nil, nil, nil, err
			}
		}
		m.link(other)
	}
	return other, caller, callee, mesh.ContextError(ctx)
}

var _ mesh.Caller = (*Member)(nil)

// message travels from callee to caller: a progress report or, last, the answer.
type message[T any] struct {
	arrives  time.Time
	progress *mesh.Progress
	answer   T
}

// call runs serve on p, one way there and one way back, and returns its answer.
// serve's context ends with ctx, or when either side goes away.
func call[T any](ctx context.Context, m *Member, p identity.PeerID, onProgress func(mesh.Progress),
	serve func(ctx context.Context, other *Member, report func(mesh.Progress)) T) (T, error) {
	var none T
	other, caller, callee, err := m.dial(ctx, p)
	if err != nil {
		return none, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	if err := wait(ctx, caller, callee, m.oneWay(p)); err != nil {
		return none, err
	}
	serveCtx, cancel := context.WithCancel(callee)
	defer cancel()
	back := make(chan message[T], progressInFlight)
	report := func(pr mesh.Progress) {
		select {
		case back <- message[T]{arrives: time.Now().Add(other.oneWay(m.self)), progress: &pr}:
		default:
		}
	}
	if !other.serve(func() {
		answer := serve(serveCtx, other, report)
		select {
		case back <- message[T]{arrives: time.Now().Add(other.oneWay(m.self)), answer: answer}:
		case <-serveCtx.Done(): // nobody waits any more
		}
	}) {
		return none, fmt.Errorf("%w: %s", mesh.ErrUnreachable, p)
	}
	for {
		select {
		case msg := <-back:
			if err := wait(ctx, caller, callee, time.Until(msg.arrives)); err != nil {
				return none, err
			}
			if msg.progress == nil {
				return msg.answer, nil
			}
			if onProgress != nil {
				onProgress(*msg.progress)
			}
		case <-ctx.Done():
			return none, mesh.ContextError(ctx)
		case <-caller.Done():
			return none, fmt.Errorf("%w: %s is down", mesh.ErrUnreachable, m.self)
		case <-callee.Done():
			return none, fmt.Errorf("%w: %s", mesh.ErrUnreachable, p)
		}
	}
}

// serve runs f on a goroutine that Close waits for, unless the member is gone.
func (m *Member) serve(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.down {
		return false
	}
	m.serving.Go(f)
	return true
}

// Ping takes one round trip of the link, and one more to connect when needed.
func (m *Member) Ping(ctx context.Context, p identity.PeerID) (time.Duration, error) {
	other, caller, callee, err := m.dial(ctx, p)
	if err != nil {
		return 0, err
	}
	start := m.now()
	if err := wait(ctx, caller, callee, min(m.oneWay(p), forever/2)*2); err != nil {
		return 0, err
	}
	end := m.now()
	rtt := end.Sub(start)
	m.mu.Lock()
	m.rtt[p] = rtt
	m.clocks[p] = m.clocks[p].With(clock.Exchange(start, end, other.now().Add(-rtt/2)))
	m.mu.Unlock()
	return rtt, nil
}

// received is what from has sent, with its time told by this member's clock.
func (m *Member) received(env governance.Envelope, from *Member) governance.Envelope {
	sent, now := from.now(), m.now()
	env.Timestamp = clock.Here(clock.Told(env.Timestamp, sent), sent.Round(0).Sub(now.Round(0)), now)
	return env
}

// RunJob hands call to p's handler. Input and output are copied, as a wire would.
func (m *Member) RunJob(ctx context.Context, p identity.PeerID, jc mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	if err := jc.Fits(); err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	jc.Input = slices.Clone(jc.Input)
	jc.Voucher = slices.Clone(jc.Voucher)
	out, err := call(ctx, m, p, onProgress, func(ctx context.Context, other *Member, report func(mesh.Progress)) mesh.JobOutcome {
		if other.handler == nil {
			return mesh.JobOutcome{JobID: jc.Job.ID, Code: mesh.JobInternal, Message: "inproc: no handler", Node: other.self}
		}
		sent, now := m.now(), other.now()
		jc.Ahead, jc.Envelope = sent.Round(0).Sub(now.Round(0)), other.received(jc.Envelope, m)
		if !jc.Job.Deadline.IsZero() {
			jc.Job.Deadline = now.Add(jc.Job.Deadline.Sub(sent))
		}
		fetch := func(ctx context.Context, call mesh.FetchCall) (mesh.Blob, error) {
			return other.FetchCapsule(ctx, m.self, call)
		}
		return parted(other.handler.HandleJob(ctx, m.self, jc, fetch, report))
	})
	out.Receipt = slices.Clone(out.Receipt)
	return out, err
}

// parted returns out with a copy of its output, as a wire would deliver it.
func parted(out mesh.JobOutcome) mesh.JobOutcome {
	out.Output = slices.Clone(out.Output)
	out.LetGo()
	return out
}

// Call implements mesh.Caller: cc goes to p's handler. Input and output are copied, as
// a wire would; CallsAtOnce is not enforced.
func (m *Member) Call(ctx context.Context, p identity.PeerID, cc mesh.CapsuleCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	if err := mesh.Fits("input", uint64(len(cc.Input)), mesh.MaxTransfer); err != nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	cc.Input = slices.Clone(cc.Input)
	out, err := call(ctx, m, p, onProgress, func(ctx context.Context, other *Member, report func(mesh.Progress)) mesh.JobOutcome {
		h, ok := other.handler.(mesh.CallHandler)
		if !ok {
			return mesh.JobOutcome{Code: mesh.JobInternal, Reason: fault.Unsupported.Code(), Message: "inproc: no handler", Node: other.self}
		}
		cc.Envelope = other.received(cc.Envelope, m)
		return parted(h.HandleCall(ctx, m.self, cc, report))
	})
	return out, err
}

// Command hands cc to p's handler.
func (m *Member) Command(ctx context.Context, p identity.PeerID, cc mesh.CommandCall) (capsule.Reply, error) {
	return call(ctx, m, p, nil, func(ctx context.Context, other *Member, _ func(mesh.Progress)) capsule.Reply {
		if other.handler == nil {
			return capsule.Reply{ID: cc.Command.ID, Code: capsule.Unsupported, Message: "inproc: no handler"}
		}
		cc.Envelope = other.received(cc.Envelope, m)
		return other.handler.HandleCommand(ctx, m.self, cc)
	})
}

// FetchCapsule asks p's handler and checks the CID. Manifests carry no
// signature that could be checked here.
func (m *Member) FetchCapsule(ctx context.Context, p identity.PeerID, fc mesh.FetchCall) (mesh.Blob, error) {
	type answer struct {
		blob mesh.Blob
		ok   bool
	}
	a, err := call(ctx, m, p, nil, func(ctx context.Context, other *Member, _ func(mesh.Progress)) answer {
		if other.handler == nil {
			return answer{}
		}
		fc.Envelope = other.received(fc.Envelope, m)
		blob, ok := other.handler.HandleFetch(ctx, m.self, fc)
		return answer{blob, ok}
	})
	switch {
	case err != nil:
		return mesh.Blob{}, err
	case !a.ok:
		return mesh.Blob{}, fmt.Errorf("%w: capsule %s on %s", mesh.ErrNotFound, fc.CID, p)
	case capsule.SumCID(a.blob.Wasm) != fc.CID:
		return mesh.Blob{}, fmt.Errorf("%w: capsule %s from %s has other bytes", mesh.ErrProtocol, fc.CID, p)
	}
	if fc.Room != nil {
		if err := fc.Room(uint64(len(a.blob.Wasm))); err != nil {
			return mesh.Blob{}, fmt.Errorf("%w: %w", mesh.ErrNoRoom, err)
		}
	}
	return a.blob, nil
}
