package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

const (
	feedFrame  = mesh.MaxFeed // the opening envelope, and every answer
	feedBuffer = 64 << 10     // read from the source at a time
)

var _ mesh.Feeder = (*Mesh)(nil)

// Feed implements mesh.Feeder: a frame with the envelope, then the bytes of r as
// they are. Writes have no deadline: the node may stop reading for as long as its
// capsule is congested. Its reports have one: a node that is silent for longer than
// Config.StallTimeout is given up.
func (m *Mesh) Feed(ctx context.Context, p identity.PeerID, call mesh.FeedCall, r io.Reader, onTaken func(uint64)) (mesh.FeedEnd, error) {
	pid, err := peerID(p)
	if err != nil {
		return mesh.FeedEnd{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	f := &feeding{onTaken: onTaken, news: make(chan struct{}, 1), over: make(chan struct{})}
	defer m.feeds.leave(pid, f)
	header, err := m.feedHeader(call, m.feeds.join(pid, f))
	if err != nil {
		return mesh.FeedEnd{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	s, end, err := m.open(ctx, p, FeedProtocol)
	if err != nil {
		return mesh.FeedEnd{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	f.s = s
	result, err := f.run(header, r)
	var source *sourceError
	switch {
	case errors.As(err, &source):
		end(err)
		if ended := mesh.ContextError(ctx); ended != nil {
			return result, ended
		}
		return result, source.error
	case err == nil && result.Code == capsule.OK:
		end(nil)
		return result, nil
	case err == nil: // it reads no more of what may be under way
		end(errors.New("refused"))
		return result, nil
	}
	end(err)
	if isTimeout(err) && ctx.Err() == nil {
		m.suspect(p)
		return result, fmt.Errorf("%w: %s is silent: %w", mesh.ErrUnreachable, p, err)
	}
	return result, m.explain(ctx, p, err)
}

func (m *Mesh) feedHeader(call mesh.FeedCall, window uint32) ([]byte, error) {
	env, err := wire.WithFeed(call.Envelope, call.Capsule, window)
	var header []byte
	if err == nil {
		header, err = wire.SendEnvelope(env, m.cfg.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: feed: %w", mesh.ErrEncode, err)
	}
	return header, mesh.Fits("feed request", uint64(len(header)), feedFrame)
}

// sourceError is an error of the caller's own reader.
type sourceError struct{ error }

// feeding is the sending side of one feed.
type feeding struct {
	s       *frames
	onTaken func(uint64)
	first   atomic.Bool   // of the feeds to that node: QUIC alone holds it back
	taken   atomic.Uint64 // as the node said
	news    chan struct{} // capacity 1: taken went up, or it became the first
	over    chan struct{} // closed when the node says no more
	end     mesh.FeedEnd  // once over is closed
	err     error
}

// run sends header and r and returns the node's last word.
func (f *feeding) run(header []byte, r io.Reader) (mesh.FeedEnd, error) {
	if err := f.s.send(header); err != nil {
		return mesh.FeedEnd{}, err
	}
	_ = f.s.s.SetWriteDeadline(time.Time{})
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() {
		f.listen()
		if c, ok := r.(io.Closer); ok {
			_ = c.Close() // nobody takes what a Read that still waits would bring
		}
	})
	written, done, err := f.send(r)
	if err != nil {
		// Whoever listens hears of the reset that follows.
		_ = f.s.s.Reset()
		<-f.over
		return mesh.FeedEnd{Taken: f.taken.Load()}, err
	}
	<-f.over
	if f.err != nil {
		return mesh.FeedEnd{Taken: f.taken.Load()}, f.err
	}
	if f.end.Code == capsule.OK && (!done || f.end.Taken != written) {
		return f.end, fmt.Errorf("%w: %d bytes sent, %d taken", mesh.ErrProtocol, written, f.end.Taken)
	}
	return f.end, nil
}

// send writes r to its end. done says that it got there; it does not when the
// node's side is over first. Its only error is r's.
func (f *feeding) send(r io.Reader) (written uint64, done bool, err error) {
	buf := make([]byte, feedBuffer)
	for {
		n, readErr := r.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			n := f.mayWrite(written, len(p))
			if n == 0 {
				select {
				case <-f.news:
					continue
				case <-f.over:
					return written, false, nil
				}
			}
			if _, err := f.s.s.Write(p[:n]); err != nil {
				return written, false, nil // why, listen will find out
			}
			written += uint64(n)
			p = p[n:]
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return written, f.s.s.CloseWrite() == nil, nil
		case readErr != nil:
			select {
			case <-f.over: // it was closed for that
				return written, false, nil
			default:
				return written, false, &sourceError{readErr}
			}
		}
		select {
		case <-f.over:
			return written, false, nil
		default:
		}
	}
}

// mayWrite is how many of n bytes may follow what was written.
func (f *feeding) mayWrite(written uint64, n int) int {
	if f.first.Load() {
		return n
	}
	ahead := written - min(written, f.taken.Load())
	return min(n, int(mesh.FeedShare-min(ahead, mesh.FeedShare)))
}

// listen reads the node's reports until its end, and then ends the write under way.
func (f *feeding) listen() {
	defer close(f.over)
	defer func() { _ = f.s.s.SetWriteDeadline(time.Unix(1, 0)) }()
	for {
		data, err := f.s.read(feedFrame)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		var frame wire.FeedFrame
		if err == nil {
			frame, err = wire.DecodeFeedFrame(data)
		}
		switch {
		case err != nil:
			f.err = err
			return
		case frame.End != nil:
			f.end = *frame.End
			f.end.Hearsay()
			return
		case frame.Taken > f.taken.Load():
			f.taken.Store(frame.Taken)
			ring(f.news)
			if f.onTaken != nil {
				f.onTaken(frame.Taken)
			}
		}
	}
}

// feeds are the feeds from this node, by where they go, the oldest first.
type feeds struct {
	mu sync.Mutex
	to map[peer.ID][]*feeding
}

// join adds f and returns the window it keeps to, 0 for none.
func (fs *feeds) join(p peer.ID, f *feeding) (window uint32) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.to == nil {
		fs.to = map[peer.ID][]*feeding{}
	}
	fs.to[p] = append(fs.to[p], f)
	if len(fs.to[p]) > 1 {
		return mesh.FeedShare
	}
	f.first.Store(true)
	return 0
}

// leave takes f off and tells who is the first now.
func (fs *feeds) leave(p peer.ID, f *feeding) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	left := slices.DeleteFunc(fs.to[p], func(other *feeding) bool { return other == f })
	if len(left) == 0 {
		delete(fs.to, p)
		return
	}
	fs.to[p] = left
	if left[0].first.CompareAndSwap(false, true) {
		ring(left[0].news)
	}
}
