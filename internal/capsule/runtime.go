package capsule

import "context"

// Runtime turns a capsule's bytes into running instances on this node. Two
// exist: sab (browser Worker) and wazero (native). The same .wasm runs in both.
type Runtime interface {
	// Compile checks wasm with Inspect and compiles it. It may take long; the
	// result can be instantiated many times. Errors match the Err... of Inspect.
	Compile(ctx context.Context, wasm []byte) (Module, error)
	// Compiled is the module that Compile made of the bytes of cid, if the Runtime has
	// kept it: code is all that instances share, and needs to be hashed and checked once.
	Compiled(cid CID) (Module, bool)
	// Close ends every instance and waits for them.
	Close() error
}

// Module is a compiled capsule.
type Module interface {
	Info() ModuleInfo
	// Instantiate starts one instance with a fresh memory and calls its
	// inos_run on a thread of its own. It returns once the control block can be
	// read. limit is the most memory it may ever have, in bytes.
	Instantiate(ctx context.Context, epoch uint32, limit uint64) (Instance, error)
}

// Restorer is a Module that can start an instance on the memory of an Image.
type Restorer interface {
	Module
	// Restore is Instantiate with a memory that im has filled: image first
	// (Image.Fill), then the module's own start, which leaves an initialised
	// memory alone, then Image.Reset, then inos_run. Errors match Instantiate's
	// or ErrImage.
	Restore(ctx context.Context, epoch uint32, limit uint64, im *Image) (Instance, error)
}

// Instance is one running capsule: its memory, its doorbell and its end. What
// it writes is never trusted.
type Instance interface {
	Memory() Memory
	// Control is the control block's offset in Memory, checked to lie in it.
	Control() uint32
	// Doorbell delivers after the capsule rang; several rings may be one.
	Doorbell() <-chan struct{}
	// Kill sets the kill word, wakes the capsule and terminates it. Idempotent,
	// does not wait: Done does.
	Kill()
	// Done is closed when the instance runs no more; Err then says why: nil for
	// a clean end, ErrKilled, or an error that matches ErrTrap.
	Done() <-chan struct{}
	Err() error
}

// Yielder is an Instance whose host has one thread for everything, as a browser's
// Worker has: a goroutine that goes on and on keeps all timers and messages from
// their turn, whatever it yields to Go's scheduler.
type Yielder interface {
	// Tired reports whether the thread has done nothing else for some milliseconds.
	Tired() bool
	// Yield returns a channel that delivers once what was due on the thread has had
	// its turn. Each call is worth one turn.
	Yield() <-chan struct{}
}

// Spinning is a Memory whose host would sleep longer than a capsule takes for a
// command, as in a browser. Its capsule looks before it sleeps, too (OffLooks).
type Spinning interface {
	// Spin looks at the word at off for some microseconds, until it is not seen any
	// more. It reports whether that came about.
	Spin(off, seen uint32) bool
}

// Memory is a capsule's shared linear memory as its host sees it. Every access
// is checked against the current length and returns an error that matches
// ErrOutOfBounds past it. 32- and 64-bit accesses are atomic and need natural
// alignment.
type Memory interface {
	Len() uint64
	Load32(off uint32) (uint32, error)
	Store32(off, v uint32) error
	Store64(off uint32, v uint64) error
	// Read copies len(p) bytes at off out of the memory; Write copies p in.
	Read(off uint32, p []byte) error
	Write(off uint32, p []byte) error
	// Notify wakes every waiter on the 32-bit word at off.
	Notify(off uint32) error
	// Grow makes the memory at least bytes long and returns its new length.
	Grow(bytes uint64) (uint64, error)
}
