package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall/js"

	"inos/internal/console"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
)

// A stream crosses between page and kernel in pieces, one call each. The next call follows once the
// last was answered, so that the capsule, or the page's reader, sets the pace.
// web/src/api/streams.ts makes inos.feed and inos.listen from these verbs.
//
// The page calls feed:over and listen:over at once; they are answered when the stream has ended,
// and release it. So a stream is also released when the page has forgotten it, its source gives
// nothing, or nothing is read. listen:over returns what has not been read by then.

const (
	// streamsAtMost bounds the page's open streams.
	streamsAtMost = 64
	// piece is the longest part of a stream that goes to the page at once, in bytes.
	piece = 256 << 10
)

// streams are the open streams, feeds and listenings, by number.
type streams struct {
	mu   sync.Mutex
	next int
	open map[int]any // *feeding or *listening
}

func (s *streams) add(stream any) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= streamsAtMost {
		return 0, fmt.Errorf("%w: %d streams are open", mesh.ErrFeeds, len(s.open))
	}
	if s.open == nil {
		s.open = map[int]any{}
	}
	s.next++
	s.open[s.next] = stream
	return s.next, nil
}

func (s *streams) remove(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// end cuts every stream short and so answers all calls that wait for one.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range s.open {
		switch stream := stream.(type) {
		case *feeding:
			_ = stream.to.CloseWithError(errClosed)
		case *listening:
			_ = stream.from.Close()
		}
	}
}

// streamOf finds the stream that a verb's first argument names.
func streamOf[T any](s *streams, verb string, args []js.Value) (id int, stream T, err error) {
	if n := arg(args, 0); n.Type() == js.TypeNumber {
		id = n.Int()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, ok := s.open[id].(T)
	if !ok {
		err = badArgument(verb, "stream", "an open one", kindOf(arg(args, 0)))
	}
	return id, stream, err
}

// feeding is a stream into a capsule.
type feeding struct {
	address string
	to      *io.PipeWriter
	done    chan struct{} // closed when the kernel has finished with it
	bytes   int64         // valid once it is closed
	err     error

	mu  sync.Mutex // one piece at a time
	buf []byte
}

func (a *api) feedOpen(ctx context.Context, args []js.Value) (any, error) {
	address, err := text("feed", "capsuleId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	node, capsuleID := capsuleAddress(address)
	r, w := io.Pipe()
	f := &feeding{address: address, to: w, done: make(chan struct{})}
	id, err := a.streams.add(f)
	if err != nil {
		return nil, err
	}
	a.promises.work.Go(func() {
		defer close(f.done)
		f.bytes, f.err = a.cfg.Kernel.Feed(ctx, node, capsuleID, r,
			lifecycle.FeedOptions{DNA: governance.Metadata{ModuleID: "inos.console"}})
		_ = r.CloseWithError(f.err)
	})
	return map[string]int{"stream": id}, nil
}

// feedPut answers once the piece is on its way; the bridge keeps no copy.
func (a *api) feedPut(_ context.Context, args []js.Value) (any, error) {
	_, f, err := streamOf[*feeding](&a.streams, "feed", args)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	bytes := arg(args, 1)
	if !bytes.InstanceOf(js.Global().Get("Uint8Array")) {
		return nil, badArgument("feed", "data", "a Uint8Array", kindOf(bytes))
	}
	if n := bytes.Length(); n > cap(f.buf) {
		f.buf = make([]byte, n)
	}
	b := f.buf[:bytes.Length()]
	js.CopyBytesToGo(b, bytes)
	if _, err := f.to.Write(b); err != nil {
		<-f.done
		if f.err != nil {
			err = f.err
		}
		return nil, err
	}
	return nil, nil
}

// feedEnd ends the stream: complete or, with a reason, cut short.
func (a *api) feedEnd(_ context.Context, args []js.Value) (any, error) {
	_, f, err := streamOf[*feeding](&a.streams, "feed", args)
	if err != nil {
		return nil, nil // it has ended
	}
	if why := arg(args, 1); why.Type() == js.TypeString {
		_ = f.to.CloseWithError(failed(errJavaScript, "the source of the stream failed: %s", why.String()))
	} else {
		_ = f.to.Close()
	}
	return nil, nil
}

// feedOver answers once the whole stream is in the capsule, or with the error that cut it short.
func (a *api) feedOver(_ context.Context, args []js.Value) (any, error) {
	id, f, err := streamOf[*feeding](&a.streams, "feed", args)
	if err != nil {
		return nil, err
	}
	<-f.done
	a.streams.remove(id)
	if f.err != nil {
		return nil, f.err
	}
	return console.FeedResult{CapsuleID: f.address, Bytes: f.bytes}, nil
}

// listening is a stream out of a capsule.
type listening struct {
	from lifecycle.Listening
	mu   sync.Mutex // one piece at a time
	buf  [piece]byte
}

// taken is a piece of a listening.
type taken struct {
	Done  bool   `json:"done"`
	Bytes []byte `json:"-" bytes:"bytes,omitempty"`
}

// listened is what remains of a listening when it has ended, and its error if it failed.
type listened struct {
	Failure map[string]any `json:"failure,omitempty"`
	Bytes   []byte         `json:"-" bytes:"bytes"`
}

func (a *api) listenOpen(_ context.Context, args []js.Value) (any, error) {
	address, err := text("listen", "capsuleId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	from, err := a.cfg.Kernel.Listen(capsuleAddress(address))
	if err != nil {
		return nil, err
	}
	id, err := a.streams.add(&listening{from: from})
	if err != nil {
		_ = from.Close()
		return nil, err
	}
	return map[string]int{"stream": id}, nil
}

// listenTake answers with the bytes that have come, or that there will be no more. The page asks
// again only after that: the buffer is free then.
func (a *api) listenTake(_ context.Context, args []js.Value) (any, error) {
	_, l, err := streamOf[*listening](&a.streams, "listen", args)
	if err != nil {
		return taken{Done: true}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.from.Read(l.buf[:])
	if err != nil {
		return taken{Done: true}, nil // listen:over has the reason
	}
	return taken{Bytes: l.buf[:n]}, nil
}

// listenOver answers once the capsule emits nothing more, with the remaining bytes and the error.
func (a *api) listenOver(_ context.Context, args []js.Value) (any, error) {
	id, l, err := streamOf[*listening](&a.streams, "listen", args)
	if err != nil {
		return nil, err
	}
	<-l.from.Ended()
	l.mu.Lock() // a take under way gets its part first
	defer l.mu.Unlock()
	a.streams.remove(id)
	rest, err := io.ReadAll(l.from)
	end := listened{Bytes: rest}
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		e := fault.Find(err)
		end.Failure = map[string]any{"name": "InosError", "code": e.Code(), "message": err.Error(), "retryable": e.Retryable()}
	}
	return end, nil
}

// listenClose ends the listening; listen:over releases it.
func (a *api) listenClose(_ context.Context, args []js.Value) (any, error) {
	_, l, err := streamOf[*listening](&a.streams, "listen", args)
	if err != nil {
		return nil, nil // it has ended by itself
	}
	return nil, l.from.Close()
}
