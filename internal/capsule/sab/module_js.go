package sab

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"inos/internal/capsule"
)

// module is one compiled WebAssembly.Module, shared by all its instances.
type module struct {
	rt     *Runtime
	info   capsule.ModuleInfo
	handle int32
	ready  chan struct{} // closed once err is final
	err    error
}

func (m *module) Info() capsule.ModuleInfo { return m.info }

func (m *module) compiled(ok bool) {
	if !ok {
		m.err = fmt.Errorf("%w: %s", capsule.ErrCompile, text(m.handle))
	}
	close(m.ready)
	handles.Delete(m.handle) // the host has no more to say of it
}

// Instantiate implements capsule.Module. limit 0 means what the module
// declares. Errors match ErrLimit, capsule.ErrNoMemory, ErrInstantiate, ErrWorker,
// ErrClosed, errors.ErrUnsupported or ctx's cause. When ctx ends first, the Worker
// is killed.
func (m *module) Instantiate(ctx context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	return m.instantiate(ctx, epoch, limit, nil)
}

// Restore implements capsule.Restorer. Errors match Instantiate's or
// capsule.ErrImage.
func (m *module) Restore(ctx context.Context, epoch uint32, limit uint64, im *capsule.Image) (capsule.Instance, error) {
	return m.instantiate(ctx, epoch, limit, im)
}

// instantiate starts an instance, on im's memory if it is not nil.
func (m *module) instantiate(ctx context.Context, epoch uint32, limit uint64, im *capsule.Image) (capsule.Instance, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	pages := m.info.MaxPages
	if limit != 0 {
		pages = uint32(min(uint64(pages), limit/capsule.PageSize))
	}
	if pages < m.info.MinPages {
		return nil, fmt.Errorf("%w: %d bytes, it needs %d", ErrLimit, limit, uint64(m.info.MinPages)*capsule.PageSize)
	}
	in := newInstance()
	if err := m.rt.adopt(in); err != nil {
		handles.Delete(in.handle)
		return nil, err
	}
	if im != nil {
		// The Worker does what Image.Reset does: only it knows the control block
		// before the capsule runs.
		err := spawnError(hostMemory(in.handle, m.info.MinPages, pages))
		if err == nil {
			if err = im.Fill(memory{in.handle}); err != nil {
				err = fmt.Errorf("%w: %w", capsule.ErrImage, err)
			}
		}
		if err != nil {
			hostFree(in.handle)
			in.isGone()
			return nil, err
		}
	}
	if code := hostSpawn(in.handle, m.handle, epoch, m.info.MinPages, pages); code != codeOK {
		in.isGone()
		return nil, spawnError(code)
	}
	// The memory goes with the instance when nobody killed it and nobody holds
	// it any more.
	runtime.AddCleanup(in, hostFree, in.handle)
	select {
	case <-in.ready:
		m.rt.prepare()
		return in, nil
	case <-in.done:
		in.Kill()
		return nil, in.err
	case <-ctx.Done():
		in.Kill()
		return nil, context.Cause(ctx)
	}
}

func spawnError(code int32) error {
	switch code {
	case codeOK:
		return nil
	case codeNoMemory:
		return capsule.ErrNoMemory
	case codeUnsupported:
		return ErrWorker
	default:
		return ErrClosed // the module was freed
	}
}

var errUnsupported = fmt.Errorf("capsule/sab: this browser or page has no shared memory, or no Atomics.waitAsync: %w", errors.ErrUnsupported)
