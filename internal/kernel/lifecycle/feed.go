package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/supervisor"
	"inos/internal/threads/adjuster"
)

// feedFrame is how much of a stream goes to a capsule in one frame; a command
// ring takes frames of half its size.
const feedFrame = 16 << 10

// streamReceiver is the part of Capsules that takes streams. *supervisor.Supervisor has it.
type streamReceiver interface {
	Send(ctx context.Context, capsuleID string, p []byte) error
}

// FeedOptions of one stream. The zero value will do.
type FeedOptions struct {
	// DNA goes with a stream to another node; what it leaves out is filled in.
	DNA governance.Metadata
	// OnTaken hears, now and then, how many bytes the capsule has. It must not block.
	OnTaken func(total uint64)
}

// Feed reads r to its end and passes it to a capsule on node, which may be this one
// (or zero, for this one), as a stream of frames. It reads no faster than the
// capsule takes: a full ring holds it back, and while the capsule is congested the
// adjuster's valve does, so that whoever writes to r is held back in turn. It
// returns the bytes that reached the capsule, or are known to; nothing is dropped.
// A call whose capsule ends, or whose ctx does, returns once r's Read under way does;
// where r is an io.Closer, it is closed for that when the capsule ends.
// Errors are r's, ctx's, the capsule's end, or match supervisor.ErrNoCapsule or
// errors.ErrUnsupported; from another node they are a *FeedError, which matches the
// same, or the mesh's.
func (s *Service) Feed(ctx context.Context, node identity.PeerID, capsuleID string, r io.Reader, o FeedOptions) (taken int64, err error) {
	if node == "" || node == s.cfg.Self {
		atEnd, _ := r.(io.Closer)
		taken, err = s.feedHere(ctx, capsuleID, r, atEnd, o.OnTaken)
		s.cfg.Events.Fed("", s.cfg.Self, capsuleID, taken, err)
		return taken, err
	}
	taken, err = s.feedThere(ctx, node, capsuleID, r, o)
	s.cfg.Events.Fed("", node, capsuleID, taken, err)
	return taken, err
}

// feedHere feeds a capsule of this node. atEnd is closed when the capsule ends, so
// that r's Read returns. taken hears of every frame and does not block. Both may be nil.
func (s *Service) feedHere(ctx context.Context, capsuleID string, r io.Reader, atEnd io.Closer, taken func(total uint64)) (sent int64, err error) {
	to, ok := s.cfg.Capsules.(streamReceiver)
	if !ok {
		return 0, fmt.Errorf("kernel: streams into capsules: %w", errors.ErrUnsupported)
	}
	valve, err := s.valveOf(capsuleID)
	if err != nil {
		return 0, err
	}
	if atEnd != nil {
		defer onceEnded(valve, atEnd)()
	}
	buf := make([]byte, feedFrame)
	for {
		// First the valve, then the stream: what is not read is what holds the sender.
		if err := valve.Wait(ctx); err != nil {
			return sent, err
		}
		n, readErr := r.Read(buf)
		if n > 0 {
			// The frame is the capsule's until it is in the ring, which is when Send
			// returns, unless ctx ended first: then buf is not written again.
			if err := to.Send(ctx, capsuleID, buf[:n]); err != nil {
				return sent, err
			}
			if sent += int64(n); taken != nil {
				taken(uint64(sent))
			}
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return sent, nil
		case readErr != nil && valve.Err() != nil:
			return sent, valve.Err()
		case readErr != nil:
			return sent, readErr
		}
	}
}

// valveOf returns the valve of a live capsule. Errors match supervisor.ErrNoCapsule.
func (s *Service) valveOf(id string) (*adjuster.Valve, error) {
	// Looked for twice: the end of a capsule is told after it is off the list, and a
	// valve made after that would stay for ever.
	lives := func() bool {
		return slices.ContainsFunc(s.cfg.Capsules.List(), func(c CapsuleInfo) bool { return c.ID == id && !c.Ended() })
	}
	none := fmt.Errorf("%w: %.80q", supervisor.ErrNoCapsule, id)
	if !lives() {
		return nil, none
	}
	valve := s.cfg.Valves.Valve(id)
	if !lives() {
		_ = s.cfg.Valves.Gone(id, none)
		return nil, none
	}
	return valve, nil
}

// onceEnded closes c when the valve's capsule ends. stop ends the waiting, and returns once
// it has ended.
func onceEnded(valve *adjuster.Valve, c io.Closer) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-valve.Ended():
			_ = c.Close()
		case <-done:
		}
	})
	return func() { close(done); wg.Wait() }
}
