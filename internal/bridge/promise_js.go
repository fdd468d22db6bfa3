package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall/js"
)

// maxPending bounds the calls of one verb that are in flight: what lasts, as a dispatch
// does, never keeps out what ends it. Whoever calls keeps to it and lets the others wait:
// web/src/rpc/limiter.ts has the same figure.
const maxPending = 1024

// promises runs calls on goroutines of their own, since a js.Func must never
// block, and settles one Promise for each.
type promises struct {
	ctx     context.Context
	work    sync.WaitGroup // of the calls, and of what they leave running
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
	resolve, reject, promise := p.open()
	p.work.Go(func() {
		v, err := guard(p.ctx, f)
		pending.Add(-1) // before the caller hears of it, who may call again at once
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

// open makes a Promise and its two ends. The constructor calls its executor
// before it returns, so the js.Func can be released here.
func (p *promises) open() (resolve, reject, promise js.Value) {
	executor := js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject = args[0], args[1]
		return nil
	})
	promise = p.promise.New(executor)
	executor.Release()
	return resolve, reject, promise
}

func (p *promises) rejected(err error) js.Value {
	return p.promise.Call("reject", errorValue(err))
}

// guard turns a JavaScript exception, which syscall/js raises as a panic of
// js.Error, into a Go error. Other panics are bugs of ours and go on.
func guard(ctx context.Context, f func(context.Context) (any, error)) (v any, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case js.Error:
			err = &Error{Code: CodeJavaScript, Message: r.Error()}
		case *js.ValueError:
			err = &Error{Code: CodeBadArgument, Message: r.Error()}
		default:
			panic(r)
		}
	}()
	return f(ctx)
}

// await blocks until a JavaScript promise settles. When ctx ends, it calls abort,
// which must make the promise settle soon: until then JavaScript may call back, and
// nothing can be given back.
func await(ctx context.Context, promise js.Value, abort func()) (js.Value, error) {
	type settled struct {
		v   js.Value
		err error
	}
	done := make(chan settled, 1)
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{v: args[0]}
		return nil
	})
	defer then.Release()
	catch := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{err: &Error{Code: CodeJavaScript, Message: js.Global().Call("String", args[0]).String()}}
		return nil
	})
	defer catch.Release()
	promise.Call("then", then, catch)
	select {
	case s := <-done:
		return s.v, s.err
	case <-ctx.Done():
		abort()
		<-done
		return js.Undefined(), context.Cause(ctx)
	}
}
