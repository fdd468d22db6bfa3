package sab

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"inos/internal/capsule"
)

// DefaultModules is how many compiled modules a Runtime keeps.
const DefaultModules = 32

// MaxModule is the longest module that is compiled, in bytes. The browser compiles on threads of
// its own, which nobody can end: what it takes there is in proportion to the module's length, since
// engines compile each function in one pass at first and bound the locals of each. Fifty
// times as long as the largest capsule here.
const MaxModule = 32 << 20

// Config of a Runtime; the zero value is what the kernel uses.
type Config struct {
	Modules int // compiled modules kept for the next Compile; 0 means DefaultModules
	// NoSpare says not to keep Workers ready for the next instances. One that is new and
	// some that have served are kept from the first instance until Close: they take a
	// thread's memory each and save most of what a browser takes to start one.
	NoSpare bool
}

// Runtime implements capsule.Runtime. Safe for concurrent use.
type Runtime struct {
	limit int
	spare bool

	mu      sync.Mutex
	closed  bool
	modules map[capsule.CID]*module
	order   []capsule.CID // of modules, the one used last at the end
	alive   map[*instance]struct{}
	owned   sync.WaitGroup // one goroutine per instance, until its Worker is gone
}

var (
	_ capsule.Runtime  = (*Runtime)(nil)
	_ capsule.Restorer = (*module)(nil)
	_ capsule.Yielder  = (*instance)(nil)
)

// New returns a Runtime. It needs the import object that web/src/capsule/host.ts
// makes, or the kernel's module would not have been instantiated.
func New(c Config) *Runtime {
	if c.Modules <= 0 {
		c.Modules = DefaultModules
	}
	return &Runtime{limit: c.Modules, spare: !c.NoSpare, modules: map[capsule.CID]*module{}, alive: map[*instance]struct{}{}}
}

// Compile implements capsule.Runtime. Modules are kept by CID; concurrent calls
// with the same bytes compile once. Errors match those of capsule.Inspect,
// capsule.ErrCompile (also of one longer than MaxModule), ErrClosed, errors.ErrUnsupported or ctx's.
func (r *Runtime) Compile(ctx context.Context, wasm []byte) (capsule.Module, error) {
	if len(wasm) > MaxModule {
		return nil, fmt.Errorf("%w: it has %d bytes, and a browser compiles %d at most", capsule.ErrCompile, len(wasm), MaxModule)
	}
	info, err := capsule.Inspect(wasm)
	if err != nil {
		return nil, err
	}
	m, err := r.module(info, wasm)
	if err != nil {
		return nil, err
	}
	capsule.Begin(ctx)
	select {
	case <-m.ready:
	case <-ctx.Done():
		return nil, ctx.Err() // it goes on compiling for the next caller
	}
	if m.err != nil {
		r.drop(m)
		return nil, m.err
	}
	return m, nil
}

// Compiled implements capsule.Runtime.
func (r *Runtime) Compiled(cid capsule.CID) (capsule.Module, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.modules[cid]
	if m == nil || r.closed {
		return nil, false
	}
	select {
	case <-m.ready:
	default:
		return nil, false
	}
	if m.err != nil {
		return nil, false
	}
	r.used(cid)
	return m, true
}

// used makes cid the module used last. mu is held.
func (r *Runtime) used(cid capsule.CID) {
	r.order = append(slices.DeleteFunc(r.order, func(other capsule.CID) bool { return other == cid }), cid)
}

// module finds or starts the compilation of wasm.
func (r *Runtime) module(info capsule.ModuleInfo, wasm []byte) (*module, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if m := r.modules[info.CID]; m != nil {
		r.used(info.CID)
		return m, nil
	}
	m := &module{rt: r, info: info, ready: make(chan struct{})}
	m.handle = newHandle(m)
	if code := hostCompile(m.handle, unsafe.Pointer(unsafe.SliceData(wasm)), uint32(len(wasm))); code != codeOK {
		handles.Delete(m.handle)
		return nil, errUnsupported
	}
	r.modules[info.CID] = m
	r.order = append(r.order, info.CID)
	// Who still holds a module may go on using it, whatever is kept here.
	runtime.AddCleanup(m, hostFree, m.handle)
	if len(r.order) > r.limit {
		delete(r.modules, r.order[0])
		r.order = r.order[1:]
	}
	return m, nil
}

func (r *Runtime) drop(m *module) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.modules[m.info.CID] != m {
		return
	}
	delete(r.modules, m.info.CID)
	r.order = slices.DeleteFunc(r.order, func(cid capsule.CID) bool { return cid == m.info.CID })
	hostFree(m.handle)
}

// adopt takes in under r's care until its Worker is gone.
func (r *Runtime) adopt(in *instance) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.alive[in] = struct{}{}
	r.owned.Go(func() {
		<-in.gone
		handles.Delete(in.handle)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.alive, in)
	})
	return nil
}

// prepare keeps a Worker ready for the next instance, unless that is not wanted.
func (r *Runtime) prepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spare && !r.closed {
		hostSpare(1)
	}
}

// Close kills every instance, ends the Workers that wait, waits until their Workers are gone, and lets
// their memories and the modules go. The memory of an instance that had ended
// by itself goes when its owner kills or drops it. Idempotent.
func (r *Runtime) Close() error {
	r.mu.Lock()
	r.closed = true
	for in := range r.alive {
		in.Kill()
	}
	for _, m := range r.modules {
		hostFree(m.handle)
	}
	clear(r.modules)
	r.order = nil
	if r.spare {
		hostSpare(0)
	}
	r.mu.Unlock()
	r.owned.Wait()
	return nil
}
