package wazero

import (
	"context"
	"fmt"
	"runtime"

	"github.com/tetratelabs/wazero"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/capsule/instrument"
)

// module is compiled code, shared by its instances. The code goes with it, once
// neither the Runtime nor an instance nor anyone else holds it.
type module struct {
	rt     *Runtime
	info   capsule.ModuleInfo
	ctx    context.Context // of the compilation
	stop   context.CancelFunc
	begun  chan struct{} // closed when it is the module's turn to be compiled
	ready  chan struct{} // closed once code, helper and err are final
	code   wazero.CompiledModule
	helper wazero.CompiledModule
	err    error

	waiting int // callers of Compile that wait, while it is not ready; Runtime.mu
}

func (m *module) isReady() bool {
	select {
	case <-m.ready:
		return true
	default:
		return false
	}
}

// result is what Compile returns of a module that is ready.
func (m *module) result() (capsule.Module, error) {
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// compile compiles the module when its turn has come, and the helper with the limits of
// its memory: what an instance may have less than that, its reservation says. A panic of the
// compiler is the module's error.
func (m *module) compile(wasm []byte) (err error) {
	select {
	case m.rt.compiling <- struct{}{}:
		defer func() { <-m.rt.compiling }()
	case <-m.ctx.Done():
		return m.ended()
	}
	apart := m.rt.cfg.Compiler.Program != ""
	if need := m.rt.cfg.Compiler.memory(); apart {
		if err := m.rt.cfg.Memory.Take(budget.Compilation, need); err != nil {
			return fmt.Errorf("%w: %w", capsule.ErrNoMemory, err)
		}
		defer m.rt.cfg.Memory.Give(budget.Compilation, need)
	}
	close(m.begun)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the compiler panicked: %v", capsule.ErrCompile, p)
		}
	}()
	if wasm, err = instrument.Rewrite(wasm); err != nil {
		return fmt.Errorf("%w: %w", capsule.ErrCompile, err)
	}
	ctx := m.ctx
	if c := m.rt.cfg.Compiler; apart {
		// What is compiled there is found in the folder by CompileModule.
		if err = c.into(ctx, m.rt.cfg.CacheDir, wasm); err != nil {
			return err
		}
		defer prune(m.rt.cfg.CacheDir, cacheFiles, cacheBytes)
	}
	if m.code, err = m.rt.rt.CompileModule(ctx, wasm); err != nil {
		return fmt.Errorf("%w: %w", capsule.ErrCompile, err)
	}
	runtime.AddCleanup(m, free, m.code)
	if m.helper, err = m.rt.rt.CompileModule(ctx, helperModule(pages{m.info.MinPages, m.info.MaxPages})); err != nil {
		return fmt.Errorf("%w: %w", capsule.ErrCompile, err)
	}
	runtime.AddCleanup(m, free, m.helper)
	return nil
}

// ended is why the compilation ended early.
func (m *module) ended() error {
	if m.rt.ending.Err() != nil {
		return ErrClosed
	}
	return m.ctx.Err()
}

// free lets compiled code go. The same code may be compiled twice: wazero counts.
func free(code wazero.CompiledModule) { _ = code.Close(context.Background()) }

func (m *module) Info() capsule.ModuleInfo { return m.info }

// Instantiate implements capsule.Module. limit 0 means what the module
// declares. Errors match ErrLimit, capsule.ErrNoMemory, ErrInstantiate, ErrClosed,
// capsule.ErrNoControlBlock or ctx's.
func (m *module) Instantiate(ctx context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	return m.instantiate(ctx, epoch, limit, nil)
}

// Restore implements capsule.Restorer. Errors match Instantiate's or
// capsule.ErrImage.
func (m *module) Restore(ctx context.Context, epoch uint32, limit uint64, im *capsule.Image) (capsule.Instance, error) {
	return m.instantiate(ctx, epoch, limit, im)
}
