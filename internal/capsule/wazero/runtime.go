// Package wazero runs capsules in a native node, on wazero. Each instance has a
// memory of its own, outside the Go heap, and a goroutine that is inside the
// capsule until it ends. It decides nothing: the supervisor does.
package wazero

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/fault"
)

// Errors of this package.
var (
	// ErrClosed says that the Runtime was closed. Final.
	ErrClosed = fault.Internal("capsule/wazero: runtime closed")
	// ErrInstantiate says that a compiled module could not start. Final for
	// these bytes unless it matches capsule.ErrNoMemory.
	ErrInstantiate = fmt.Errorf("capsule/wazero: %w", capsule.ErrInstantiate)
	// ErrLimit says that a memory limit is below what the module needs to
	// start. Final for this limit.
	ErrLimit = fmt.Errorf("capsule/wazero: %w", capsule.ErrMemoryLimit)
)

// DefaultModules is how many compiled modules a Runtime keeps.
const DefaultModules = 32

// Config of a Runtime; the zero value is the documented default.
type Config struct {
	Modules int // compiled modules kept for the next Compile; 0 means DefaultModules
	// CacheDir keeps compiled code across restarts; empty keeps it in memory, or in a
	// temporary folder if Compiler needs one.
	CacheDir string
	// Memory is where the memories of all instances are taken from, before they have them, and
	// what a compiling process may take; nil means without bound.
	Memory *budget.Memory
	// Compiler is who compiles.
	Compiler Compiler
}

// Runtime compiles and runs capsules. It is safe for concurrent use.
type Runtime struct {
	cfg       Config
	rt        wazero.Runtime
	cache     wazero.CompilationCache
	temporary string        // folder to be removed
	compiling chan struct{} // holds one token while a module is compiled

	mu        sync.Mutex
	closed    bool
	modules   map[capsule.CID]*module
	order     []capsule.CID // of modules, the one used last at the end
	instances map[*instance]struct{}
	running   sync.WaitGroup  // instances and compilations, until they have ended
	ending    context.Context // of compilations
	end       context.CancelFunc
}

var (
	_ capsule.Runtime  = (*Runtime)(nil)
	_ capsule.Restorer = (*module)(nil)
)

// engine is the configuration of wazero that compiles and runs: compiled code fits only
// the one it was compiled for.
func engine(cache wazero.CompilationCache) wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesThreads).
		WithDebugInfoEnabled(false).
		WithCompilationCache(cache)
}

// New starts a Runtime. The caller closes it.
func New(cfg Config) (*Runtime, error) {
	if cfg.Modules <= 0 {
		cfg.Modules = DefaultModules
	}
	r := &Runtime{
		cfg:       cfg,
		compiling: make(chan struct{}, 1),
		modules:   map[capsule.CID]*module{},
		instances: map[*instance]struct{}{},
	}
	r.ending, r.end = context.WithCancel(context.Background())
	if cfg.Compiler.Program != "" && cfg.CacheDir == "" {
		folder, err := os.MkdirTemp("", "inos-compiled-")
		if err != nil {
			return nil, fmt.Errorf("capsule/wazero: %w", err)
		}
		r.cfg.CacheDir, r.temporary = folder, folder
	}
	r.cache = wazero.NewCompilationCache()
	if r.cfg.CacheDir != "" {
		var err error
		if r.cache, err = wazero.NewCompilationCacheWithDir(r.cfg.CacheDir); err != nil {
			return nil, errors.Join(fmt.Errorf("capsule/wazero: %w", err), r.cleanUp())
		}
	}
	r.rt = wazero.NewRuntimeWithConfig(context.Background(), engine(r.cache))
	if err := provideInterrupt(r.rt); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Runtime) cleanUp() error {
	if r.temporary == "" {
		return nil
	}
	return os.RemoveAll(r.temporary)
}

// Compile implements capsule.Runtime. The same bytes are compiled once, one module at a
// time, and no longer than somebody waits for them: nobody pays for it after that. Errors
// match those of capsule.Inspect, capsule.ErrCompile, ErrCompileLimit, ErrClosed or ctx's. A
// module that is refused is remembered as one for as long as a compiled one.
func (r *Runtime) Compile(ctx context.Context, wasm []byte) (capsule.Module, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := capsule.Inspect(wasm)
	if err != nil {
		return nil, err
	}
	m, mine, err := r.module(info)
	if err != nil {
		return nil, err
	}
	if mine {
		go func() {
			defer r.running.Done()
			defer close(m.ready)
			if m.err = m.compile(wasm); m.err != nil && (m.ctx.Err() != nil || !errors.Is(m.err, capsule.ErrCompile)) {
				r.forget(m) // it says nothing about the module
			}
			m.stop()
		}()
	}
	begun := m.begun
	for {
		select {
		case <-m.ready:
			return m.result()
		default:
		}
		select {
		case <-begun:
			capsule.Begin(ctx)
			begun = nil
		case <-m.ready:
			return m.result()
		case <-ctx.Done():
			r.leave(m)
			return nil, ctx.Err()
		}
	}
}

// leave is called by who has waited for m and waits no longer: the last one ends its
// compilation.
func (r *Runtime) leave(m *module) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.waiting--; m.waiting == 0 && !m.isReady() {
		m.stop()
		r.drop(m)
	}
}

// Compiled implements capsule.Runtime.
func (r *Runtime) Compiled(cid capsule.CID) (capsule.Module, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.modules[cid]
	if m == nil || r.closed {
		return nil, false
	}
	if !m.isReady() || m.err != nil {
		return nil, false
	}
	r.used(cid)
	return m, true
}

// used makes cid the module used last. mu is held.
func (r *Runtime) used(cid capsule.CID) {
	r.order = append(slices.DeleteFunc(r.order, func(other capsule.CID) bool { return other == cid }), cid)
}

// module finds or makes the entry of info; mine says that the caller compiles.
// Beyond the limit, the module not used for longest is let go: whoever holds it may
// go on using it, and its code is freed with it.
func (r *Runtime) module(info capsule.ModuleInfo) (m *module, mine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false, ErrClosed
	}
	m, ok := r.modules[info.CID]
	if !ok {
		m = &module{rt: r, info: info, begun: make(chan struct{}), ready: make(chan struct{})}
		m.ctx, m.stop = context.WithCancel(r.ending)
		r.modules[info.CID] = m
		r.running.Add(1)
	}
	m.waiting++
	r.used(info.CID)
	if len(r.order) > r.cfg.Modules {
		delete(r.modules, r.order[0])
		r.order = r.order[1:]
	}
	return m, !ok, nil
}

// forget lets a module go that could not be compiled just now.
func (r *Runtime) forget(m *module) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(m)
}

// drop is forget with mu held.
func (r *Runtime) drop(m *module) {
	if r.modules[m.info.CID] == m {
		delete(r.modules, m.info.CID)
		r.order = slices.DeleteFunc(r.order, func(cid capsule.CID) bool { return cid == m.info.CID })
	}
}

// enter registers an instance before its goroutines start.
func (r *Runtime) enter(in *instance) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.instances[in] = struct{}{}
	r.running.Add(1)
	return nil
}

func (r *Runtime) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *Runtime) left(in *instance) {
	r.mu.Lock()
	delete(r.instances, in)
	r.mu.Unlock()
	r.running.Done()
}

// Close kills every instance, ends what is being compiled, waits for them and frees the
// compiled code.
func (r *Runtime) Close() error {
	r.mu.Lock()
	r.closed = true
	var all []*instance
	for in := range r.instances {
		all = append(all, in)
	}
	r.mu.Unlock()
	for _, in := range all {
		in.Kill()
	}
	r.end()
	r.running.Wait()
	return errors.Join(r.rt.Close(context.Background()), r.cache.Close(context.Background()), r.cleanUp())
}
