package jsinterop

import (
	"sync"
	"syscall/js"
)

// Callbacks hands the results of promises to Go functions. It owns two js.Func values for all of
// them. Each promise is a number that is bound to one of the two on the JavaScript side: so nothing
// is released for each promise, and a late result is a number that is no longer known. Safe for
// concurrent use.
type Callbacks struct {
	fulfilled, rejected js.Func

	mu       sync.Mutex
	waiting  map[int]Settled
	next     int
	inFlight int // unsettled promises, and users of Acquire
	closing  bool
	released bool
}

// Settled takes in a promise's result: v is its value or, when !ok, its reason. It runs on the
// event handler: it must not block, and must not call Callbacks while it holds a lock that other
// goroutines hold across calls into JavaScript.
type Settled func(ok bool, v js.Value)

// NewCallbacks makes a Callbacks; Close ends it.
func NewCallbacks() *Callbacks {
	c := &Callbacks{waiting: map[int]Settled{}}
	c.fulfilled = js.FuncOf(func(_ js.Value, args []js.Value) any { c.settled(true, args); return nil })
	c.rejected = js.FuncOf(func(_ js.Value, args []js.Value) any { c.settled(false, args); return nil })
	return c
}

// Acquire prevents the release of the two functions until Release; false once Close was called.
func (c *Callbacks) Acquire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.inFlight++
	return true
}

// Release undoes Acquire.
func (c *Callbacks) Release() {
	c.mu.Lock()
	c.inFlight--
	c.mu.Unlock()
	c.releaseWhenIdle()
}

// Then calls f with the result of promise, unless the functions are released by then. It marks a
// rejection as handled.
func (c *Callbacks) Then(promise js.Value, f Settled) {
	c.mu.Lock()
	if c.released {
		c.mu.Unlock()
		MarkHandled(promise)
		return
	}
	c.next++
	id := c.next
	c.waiting[id] = f
	c.inFlight++
	c.mu.Unlock()
	promise.Call("then", c.fulfilled.Call("bind", js.Null(), id), c.rejected.Call("bind", js.Null(), id))
}

// MarkHandled marks a rejection of promise as handled.
func MarkHandled(promise js.Value) {
	// Function.prototype is a function without effect.
	promise.Call("catch", js.Global().Get("Function").Get("prototype"))
}

func (c *Callbacks) settled(ok bool, args []js.Value) {
	id, v := args[0].Int(), js.Undefined()
	if len(args) > 1 {
		v = args[1]
	}
	c.mu.Lock()
	c.inFlight--
	f := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if f != nil {
		f(ok, v)
	}
	c.releaseWhenIdle()
}

// Close releases the two functions once the last promise has settled. It does not wait for that.
func (c *Callbacks) Close() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.releaseWhenIdle()
}

func (c *Callbacks) releaseWhenIdle() {
	c.mu.Lock()
	now := c.closing && c.inFlight == 0 && !c.released
	if now {
		c.released = true
	}
	c.mu.Unlock()
	if now {
		c.fulfilled.Release()
		c.rejected.Release()
	}
}

// Pending counts the functions that wait, and the unsettled promises together with the users of
// Acquire.
func (c *Callbacks) Pending() (waiting, inFlight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting), c.inFlight
}
