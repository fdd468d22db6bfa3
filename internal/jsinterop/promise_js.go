package jsinterop

import (
	"context"
	"syscall/js"
)

// NewPromise makes a promise and the two functions that settle it.
func NewPromise() (promise, resolve, reject js.Value) {
	// The constructor calls its executor before it returns.
	executor := js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject = args[0], args[1]
		return nil
	})
	defer executor.Release()
	return js.Global().Get("Promise").New(executor), resolve, reject
}

// Await blocks the goroutine until promise settles and returns its value, or its reason as an
// *Error. A value that is no promise is returned at once. When ctx ends, Await calls abort, which
// must make the promise settle soon, and returns the cause once it has settled: until then
// JavaScript may call back, and nothing can be released. abort may be nil where ctx never ends.
// Never call Await in a callback from JavaScript.
func Await(ctx context.Context, promise js.Value, abort func()) (js.Value, error) {
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
		done <- settled{err: Reason(args[0])}
		return nil
	})
	defer catch.Release()
	js.Global().Get("Promise").Call("resolve", promise).Call("then", then, catch)
	select {
	case s := <-done:
		return s.v, s.err
	case <-ctx.Done():
		abort()
		<-done
		return js.Undefined(), context.Cause(ctx)
	}
}
