package webtransport

import (
	"errors"
	"fmt"
	"sync"
	"syscall/js"
)

// promises hands the results of JavaScript promises to Go callbacks. It owns the
// package's only two js.Func values: every waiter is a number, bound to one of
// the two on the JavaScript side, so that nothing has to be released per stream
// and a late result of something gone is a number nobody knows.
type promises struct {
	fulfilled, rejected js.Func

	mu       sync.Mutex
	waiters  map[int]*waiter
	next     int
	inFlight int // promises that have not settled
	closing  bool
	released bool
}

// settle takes a promise's result: v is its value or, when !ok, its reason. It
// runs on the event handler: it must not block and must not call promises back
// while holding a lock that other goroutines hold across calls into JavaScript.
type settle func(ok bool, v js.Value)

// waiter is a callback that can wait for any number of promises.
type waiter struct {
	p                  *promises
	id                 int
	once               bool
	f                  settle
	onFulfil, onReject js.Value
}

func newPromises() *promises {
	p := &promises{waiters: map[int]*waiter{}}
	p.fulfilled = js.FuncOf(func(_ js.Value, args []js.Value) any { p.settled(true, args); return nil })
	p.rejected = js.FuncOf(func(_ js.Value, args []js.Value) any { p.settled(false, args); return nil })
	return p
}

// hold keeps the functions from being released until letGo; it fails once close
// was called.
func (p *promises) hold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.inFlight++
	return true
}

func (p *promises) letGo() {
	p.mu.Lock()
	p.inFlight--
	p.mu.Unlock()
	p.releaseWhenIdle()
}

// waiter registers f. After the release it waits for nothing.
func (p *promises) waiter(f settle) *waiter {
	p.mu.Lock()
	if p.released {
		p.mu.Unlock()
		return &waiter{p: p}
	}
	p.next++
	w := &waiter{p: p, id: p.next, f: f}
	p.waiters[w.id] = w
	p.mu.Unlock()
	w.onFulfil = p.fulfilled.Call("bind", js.Null(), w.id)
	w.onReject = p.rejected.Call("bind", js.Null(), w.id)
	return w
}

// await calls w's callback when promise settles. It also marks a rejection as
// handled.
func (w *waiter) await(promise js.Value) {
	w.p.mu.Lock()
	dead := w.p.released
	if !dead {
		w.p.inFlight++
	}
	w.p.mu.Unlock()
	if dead {
		w.p.ignore(promise)
		return
	}
	promise.Call("then", w.onFulfil, w.onReject)
}

// once calls f with the result of one promise.
func (p *promises) once(promise js.Value, f settle) {
	w := p.waiter(f)
	w.once = true
	w.await(promise)
}

// ignore marks a rejection of promise as handled.
func (p *promises) ignore(promise js.Value) {
	// Function.prototype is a function that does nothing.
	promise.Call("catch", js.Global().Get("Function").Get("prototype"))
}

func (p *promises) settled(ok bool, args []js.Value) {
	id, v := args[0].Int(), js.Undefined()
	if len(args) > 1 {
		v = args[1]
	}
	p.mu.Lock()
	p.inFlight--
	w := p.waiters[id]
	if w != nil && w.once {
		delete(p.waiters, id)
	}
	p.mu.Unlock()
	if w != nil {
		w.f(ok, v)
	}
	p.releaseWhenIdle()
}

// close releases the two functions once the last promise has settled; each does
// when its session ends, so close the sessions first.
func (p *promises) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.releaseWhenIdle()
}

func (p *promises) releaseWhenIdle() {
	p.mu.Lock()
	now := p.closing && p.inFlight == 0 && !p.released
	if now {
		p.released = true
		p.waiters = nil
	}
	p.mu.Unlock()
	if now {
		p.fulfilled.Release()
		p.rejected.Release()
	}
}

// count returns the registered waiters and the promises in flight, for tests.
func (p *promises) count() (waiters, inFlight int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiters), p.inFlight
}

// try turns a JavaScript exception inside f into an error.
func try(f func() js.Value) (v js.Value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case js.Error:
			err = reason(r.Value)
		case *js.ValueError:
			err = fmt.Errorf("webtransport: the browser gave no object where one was due: %w", r)
		default:
			panic(r)
		}
	}()
	return f(), nil
}

// jsError is what JavaScript gave as a reason.
type jsError struct {
	Name, Message string
	Source        string // "stream" or "session" of a WebTransportError
	Code          uint32 // its streamErrorCode
	HasCode       bool
}

func (e *jsError) Error() string {
	if e.Message == "" {
		return e.Name
	}
	return e.Name + ": " + e.Message
}

// reason reads a rejection or exception.
func reason(v js.Value) error {
	if v.Type() != js.TypeObject {
		return errors.New("webtransport: " + v.String())
	}
	text := func(name string) string {
		if t := v.Get(name); t.Type() == js.TypeString {
			return t.String()
		}
		return ""
	}
	e := &jsError{Name: text("name"), Message: text("message"), Source: text("source")}
	if code := v.Get("streamErrorCode"); code.Type() == js.TypeNumber {
		e.Code, e.HasCode = uint32(code.Float()), true
	}
	return e
}
