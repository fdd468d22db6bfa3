package inproc

import (
	"context"
	"fmt"
	"io"
	"sync"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
)

var _ mesh.Feeder = (*Member)(nil)

// Feed hands r to p's handler, which reads it as its capsule does. The bytes take no
// time on the way, and FeedsAtOnce is not enforced.
func (m *Member) Feed(ctx context.Context, p identity.PeerID, fc mesh.FeedCall, r io.Reader, onTaken func(uint64)) (mesh.FeedEnd, error) {
	f := &feeding{r: r, onTaken: onTaken}
	end, err := call(ctx, m, p, nil, func(ctx context.Context, other *Member, _ func(mesh.Progress)) mesh.FeedEnd {
		fc.Envelope = other.received(fc.Envelope, m)
		return f.serve(ctx, m.self, other, fc)
	})
	if err != nil {
		return mesh.FeedEnd{Taken: f.abandon()}, err
	}
	return end, f.source
}

// feeding is one feed, on both its sides.
type feeding struct {
	r       io.Reader
	onTaken func(uint64)
	source  error // r's own

	mu    sync.Mutex
	over  bool           // the caller does not wait any more
	at    sync.WaitGroup // whoever uses r
	taken uint64
}

// abandon waits until nobody uses r and returns what was taken.
func (f *feeding) abandon() uint64 {
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	f.at.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}

func (f *feeding) took(total uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = total
	if f.onTaken != nil && !f.over {
		f.onTaken(total)
	}
}

func (f *feeding) serve(ctx context.Context, from identity.PeerID, other *Member, fc mesh.FeedCall) mesh.FeedEnd {
	h, ok := other.handler.(mesh.FeedHandler)
	if !ok {
		return mesh.FeedEnd{Code: capsule.Unsupported, Reason: fault.Unsupported.Code(), Message: "inproc: no handler"}
	}
	pr, pw := io.Pipe()
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return mesh.FeedEnd{}
	}
	sent, served := make(chan struct{}), make(chan struct{})
	f.at.Go(func() {
		defer close(sent)
		_, err := io.Copy(pw, onlyReader{f.r})
		select {
		case <-served: // r was closed for that
		default:
			if err != nil && err != io.ErrClosedPipe {
				f.source = err
				err = errGone
			}
		}
		if ctx.Err() != nil { // nobody will hear how it goes on
			err = errGone
		}
		_ = pw.CloseWithError(err)
	})
	f.mu.Unlock()
	defer context.AfterFunc(ctx, func() { _ = pw.CloseWithError(errGone) })()
	end := h.HandleFeed(ctx, from, fc, pr, f.took)
	close(served)
	_ = pr.Close() // what is written now goes nowhere
	if c, ok := f.r.(io.Closer); ok {
		_ = c.Close() // nor does what a Read that still waits would bring
	}
	<-sent
	return end
}

var errGone = fmt.Errorf("%w: the sender went away", mesh.ErrUnreachable)

// onlyReader hides WriterTo: every byte passes the pipe.
type onlyReader struct{ io.Reader }
