package bridge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall/js"

	"inos/internal/jsinterop"
)

// maxPending bounds the calls of one verb that are in flight: calls that last, like dispatches,
// never keep out those that end them. The caller keeps to this figure and queues further calls:
// web/src/rpc/limiter.ts has the same one.
const maxPending = 1024

// promises runs each call on a goroutine of its own, since a js.Func must never block, and settles
// one Promise for it.
type promises struct {
	ctx     context.Context
	work    sync.WaitGroup // the calls, and what they leave running
	promise js.Value       // the Promise constructor
	parse   js.Value       // JSON
}

func newPromises(ctx context.Context) *promises {
	return &promises{ctx: ctx, promise: js.Global().Get("Promise"), parse: js.Global().Get("JSON")}
}

// start returns a Promise that settles when f does, or is rejected at once when
// maxPending are pending or the kernel is closed. f's context ends with the kernel.
func (p *promises) start(pending *atomic.Int64, f func(ctx context.Context) (any, error)) js.Value {
	if p.ctx.Err() != nil {
		return p.rejected(errClosed)
	}
	if pending.Add(1) > maxPending {
		pending.Add(-1)
		return p.rejected(errTooManyCalls)
	}
	promise, resolve, reject := jsinterop.NewPromise()
	p.work.Go(func() {
		v, err := guard(p.ctx, f)
		pending.Add(-1) // before the caller gets the answer: it may call again at once
		if err != nil {
			if p.ctx.Err() != nil {
				err = errClosed
			}
			reject.Invoke(errorValue(err))
			return
		}
		out, err := p.value(v)
		if err != nil {
			reject.Invoke(errorValue(err))
			return
		}
		resolve.Invoke(out)
	})
	return promise
}

func (p *promises) rejected(err error) js.Value {
	return p.promise.Call("reject", errorValue(err))
}

// guard calls f and turns an exception of JavaScript in it into an error.
func guard(ctx context.Context, f func(context.Context) (any, error)) (v any, err error) {
	if thrown := jsinterop.Try(func() { v, err = f(ctx) }); thrown != nil {
		return nil, javaScript(thrown)
	}
	return v, err
}

// javaScript gives a code to an exception or a rejection of JavaScript.
func javaScript(err error) error {
	kind := errJavaScript
	if wrong := (*js.ValueError)(nil); errors.As(err, &wrong) {
		kind = errBadArgument
	}
	return &Error{kind, err.Error()}
}

// await blocks until a JavaScript promise settles. When ctx ends it calls abort, which must make
// the promise settle soon.
func await(ctx context.Context, promise js.Value, abort func()) (js.Value, error) {
	v, err := jsinterop.Await(ctx, promise, abort)
	if thrown := (*jsinterop.Error)(nil); errors.As(err, &thrown) {
		err = javaScript(thrown)
	}
	return v, err
}
