package p2p

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// reportAfter is how many bytes the capsule takes between two reports, for a sender
// that does not wait for them.
const reportAfter = 256 << 10

var errFeedOver = fault.Internal("p2p: the feed is over")

// answerFeed takes one feed: an envelope in, then bytes as the handler reads them;
// reports and the end out. The reports go on while nothing is read, so that the
// sender can tell a capsule that does not keep up from a node that is gone; and it
// is by a report that cannot be sent that this side learns of a sender that went
// away meanwhile.
func (m *Mesh) answerFeed(ctx context.Context, from identity.PeerID, s *frames) error {
	data, err := s.read(feedFrame)
	if err != nil {
		return err
	}
	call := mesh.FeedCall{}
	if call.Envelope, _, err = m.received(from, data); err != nil {
		return err
	}
	var window uint32
	if call.Capsule, window, err = wire.FeedOf(call.Envelope); err != nil {
		return err
	}
	if n := m.limiter.openOf(s.s.Conn().RemotePeer(), FeedProtocol); n > mesh.FeedsAtOnce {
		return sendFeedFrame(s, wire.FeedFrame{End: &mesh.FeedEnd{Code: capsule.Limit, Reason: mesh.ErrFeeds.Code(),
			Message: fmt.Sprintf("p2p: %d feeds of yours are under way", mesh.FeedsAtOnce)}})
	}
	after := uint64(reportAfter)
	if window > 0 {
		after = uint64(min(window/2, reportAfter))
	}
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	in := &feedReader{s: s, idle: m.cfg.FeedIdle}
	defer context.AfterFunc(ctx, func() { in.end(context.Cause(ctx)) })()

	var taken atomic.Uint64
	due := make(chan struct{}, 1)
	ended := make(chan mesh.FeedEnd, 1)
	go func() { // ends before this does
		h, ok := m.cfg.Handler.(mesh.FeedHandler)
		if !ok {
			ended <- mesh.FeedEnd{Code: capsule.Unsupported, Reason: fault.Unsupported.Code(), Message: "p2p: no handler"}
			return
		}
		reported := uint64(0) // or due to be
		ended <- h.HandleFeed(ctx, from, call, in, func(total uint64) {
			taken.Store(total)
			if total-reported >= after {
				reported = total
				ring(due)
			}
		})
	}()
	alive := time.NewTicker(min(m.cfg.StallTimeout/3, signOfLife))
	defer alive.Stop()
	for {
		select {
		case <-due:
		case <-alive.C:
		case end := <-ended:
			return sendFeedFrame(s, wire.FeedFrame{End: &end})
		}
		if err := sendFeedFrame(s, wire.FeedFrame{Taken: taken.Load()}); err != nil {
			gone(fmt.Errorf("%w: %w", mesh.ErrUnreachable, err))
			<-ended
			return err
		}
	}
}

func sendFeedFrame(s *frames, f wire.FeedFrame) error {
	data, err := wire.EncodeFeedFrame(f)
	if err != nil {
		return err
	}
	return s.send(data)
}

// feedReader is the sender's bytes. Only a Read that waits has a deadline: how long
// the handler leaves the stream alone is the capsule's affair.
type feedReader struct {
	s    *frames
	idle time.Duration

	mu    sync.Mutex
	until time.Time // the deadline set last
	over  error
}

// Read implements io.Reader.
func (r *feedReader) Read(p []byte) (int, error) {
	if err := r.extend(time.Now()); err != nil {
		return 0, err
	}
	n, err := r.s.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over != nil:
		err = r.over
	case isTimeout(err):
		err = fmt.Errorf("%w: nothing came for %v", mesh.ErrTimeout, r.idle)
	default:
		err = fmt.Errorf("%w: the sender went away: %w", mesh.ErrUnreachable, err)
	}
	return n, err
}

// extend moves the deadline on; not at every read, which come by the thousand.
func (r *feedReader) extend(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over != nil {
		return r.over
	}
	if until := now.Add(r.idle); until.Sub(r.until) > r.idle/4 {
		r.until = until
		return r.s.s.SetReadDeadline(until)
	}
	return nil
}

// end fails this and all further reads with why.
func (r *feedReader) end(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over == nil {
		r.over = why
		_ = r.s.s.SetReadDeadline(time.Unix(1, 0))
	}
}

// Close implements io.Closer.
func (r *feedReader) Close() error {
	r.end(errFeedOver)
	return nil
}
