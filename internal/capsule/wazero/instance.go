package wazero

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/capsule/instrument"
)

// waitCap bounds every wait on the doorbell: wazero does not interrupt one.
const waitCap = 100 * time.Millisecond

// instance is one capsule: its memory, the goroutine inside it, and the one
// that listens to its doorbell.
type instance struct {
	rt      *Runtime
	module  *module // its code must not go before this has ended
	mem     *memory
	env     api.Module
	control uint32
	bell    chan struct{}
	done    chan struct{}
	stop    context.CancelFunc // ends loops
	err     error              // set before done is closed
	killed  atomic.Bool
	ended   atomic.Bool           // inos_run has returned
	words   *sync.Map             // the words anyone waits on, by address
	verdict atomic.Pointer[error] // why the host itself ended it

	wakeMu sync.Mutex // a wazero function is called by one goroutine at a time
	wake   api.Function
	arg    [1]uint64
}

// instantiate starts an instance, on im's memory if it is not nil.
func (m *module) instantiate(ctx context.Context, epoch uint32, limit uint64, im *capsule.Image) (capsule.Instance, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	most := m.info.MaxPages
	if limit != 0 {
		most = uint32(min(uint64(most), limit/capsule.PageSize))
	}
	if most < m.info.MinPages {
		return nil, fmt.Errorf("%w: %d bytes, it needs %d", ErrLimit, limit, uint64(m.info.MinPages)*capsule.PageSize)
	}
	// Killing cancels run, not the caller's ctx, which ends with Open.
	run, stop := context.WithCancel(context.Background())
	in := &instance{rt: m.rt, module: m, mem: &memory{budget: m.rt.cfg.Memory}, bell: make(chan struct{}, 1), done: make(chan struct{}), stop: stop}
	body, err := in.build(ctx, m, most, epoch, im)
	if err == nil {
		err = m.rt.enter(in)
	} else if m.rt.isClosed() {
		err = ErrClosed
	}
	if err != nil {
		stop()
		in.close(body)
		in.mem.release()
		return nil, err
	}
	go in.live(run, body)
	return in, nil
}

// build makes the memory of most pages at most, the helper and the capsule's module,
// and finds the control block.
func (in *instance) build(ctx context.Context, m *module, most, epoch uint32, im *capsule.Image) (_ api.Module, err error) {
	if in.mem.all, err = reserve(uint64(most) * capsule.PageSize); err != nil {
		return nil, fmt.Errorf("%w: reserving %d pages: %w", capsule.ErrNoMemory, most, err)
	}
	// What it needs to start is taken here: wazero expects the first Reallocate to succeed.
	least := uint64(m.info.MinPages) * capsule.PageSize
	if err := m.rt.cfg.Memory.Take(budget.Capsules, least); err != nil {
		return nil, fmt.Errorf("%w: %w", capsule.ErrNoMemory, err)
	}
	in.mem.taken.Store(least)
	allocator := experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return in.mem })
	// No module imports randomness: wazero would seed a source for each instance.
	anonymous := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
	in.env, err = m.rt.rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, allocator), m.helper, anonymous)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInstantiate, err)
	}
	if in.words, err = waitedOn(in.env.ExportedMemory(helperMemory)); err != nil {
		return nil, err
	}
	in.wake = in.env.ExportedFunction(helperNotify)
	in.mem.notify = in.notify
	in.mem.grow = func(pages uint32) bool {
		_, ok := in.env.ExportedMemory(helperMemory).Grow(pages)
		return ok
	}
	if im != nil {
		if err := im.Fill(in.mem); err != nil {
			return nil, fmt.Errorf("%w: %w", capsule.ErrImage, err)
		}
	}
	resolve := func(name string) api.Module {
		if name == instrument.ImportModule {
			return nil // the runtime's own, by its name
		}
		return in.env // Inspect: there is no other import
	}
	guarded := in.guard(ctx)
	body, err := m.rt.rt.InstantiateModule(experimental.WithImportResolver(ctx, resolve), m.code, anonymous)
	guarded()
	if why := context.Cause(ctx); err != nil && why != nil {
		return nil, why // its start function did not return in time
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrInstantiate, firstLine(err))
	}
	global := body.ExportedGlobal("inos_control")
	if global == nil || global.Type() != api.ValueTypeI32 {
		return body, fmt.Errorf("%w: export inos_control is not an i32", capsule.ErrNoControlBlock)
	}
	in.control = uint32(global.Get())
	if uint64(in.control)+capsule.ControlSize > in.mem.Len() || in.control%64 != 0 || in.control == 0 {
		return body, fmt.Errorf("%w: inos_control is %d in a memory of %d bytes", capsule.ErrNoControlBlock, in.control, in.mem.Len())
	}
	run := body.ExportedFunction("inos_run")
	if def := run.Definition(); len(def.ParamTypes()) != 0 || len(def.ResultTypes()) != 0 {
		return body, fmt.Errorf("%w: it must take and return nothing", capsule.ErrNoRun)
	}
	if im != nil {
		return body, im.Reset(in.mem, in.control, epoch)
	}
	return body, in.mem.Store32(in.control+capsule.OffMemoryEpoch, epoch)
}

// live runs the capsule to its end.
func (in *instance) live(ctx context.Context, body api.Module) {
	defer in.rt.left(in)
	var listening sync.WaitGroup
	listening.Go(in.listen)
	top := stackPointer(body)
	_, err := body.ExportedFunction("inos_run").Call(ctx)
	in.err = in.reason(err, stackPointer(body) > top)
	in.ended.Store(true)
	in.notify(in.control + capsule.OffEventListening)
	listening.Wait()
	in.stop()
	in.close(body)
	runtime.KeepAlive(in.module)
	in.rang() // what the capsule wrote last is still to be read
	if in.killed.Load() {
		in.mem.release() // whoever waited for Done finds the memory gone
	}
	close(in.done)
	if in.killed.Load() {
		in.mem.release() // a Kill that came in between left it to us
	}
}

// stackPointer is where the capsule's stack ends, 0 if it does not say. The stack
// grows down to address 0, and a pointer past that is a huge one.
func stackPointer(body api.Module) uint64 {
	if g := body.ExportedGlobal("__stack_pointer"); g != nil && g.Type() == api.ValueTypeI32 {
		return g.Get()
	}
	return 0
}

// reason turns how inos_run returned into the instance's error. overflow says that
// its stack was used up.
func (in *instance) reason(err error, overflow bool) error {
	switch verdict := in.verdict.Load(); {
	case verdict != nil:
		return *verdict
	case in.killed.Load():
		return capsule.ErrKilled
	case err == nil:
		return nil
	}
	at := in.control + capsule.OffState
	if state, _ := in.mem.Load32(at); state != capsule.StatePanicked {
		_ = in.mem.Store32(at, capsule.StateTrapped)
	}
	said := firstLine(err)
	if overflow {
		said = "stack overflow: " + said
	}
	return fmt.Errorf("%w: %s", capsule.ErrTrap, said)
}

// firstLine leaves out wazero's stack of addresses.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(strings.TrimPrefix(line, "wasm error: "), " (recovered by wazero)")
}

// listen turns the doorbell word into the doorbell channel.
func (in *instance) listen() {
	wait := in.env.ExportedFunction(helperWait)
	doorbell, listening := in.control+capsule.OffEventDoorbell, in.control+capsule.OffEventListening
	var args [3]uint64
	var last uint32
	for !in.ended.Load() {
		now, err := in.mem.Load32(doorbell)
		if err != nil {
			return
		}
		if now != last {
			last = now
			in.rang()
		}
		limit := waitCap
		if in.killed.Load() || in.verdict.Load() != nil {
			in.wakeAll()
			limit = wakeEvery
		} else if in.tooManyWords() {
			in.condemn(fmt.Errorf("%w: it waits on more than %d words", capsule.ErrProtocol, maxWords))
			continue
		}
		if in.mem.Store32(listening, 1) != nil {
			return
		}
		// A ring since the first load shows here, or clears listening: the wait returns.
		if again, err := in.mem.Load32(doorbell); err != nil || again != now {
			continue
		}
		args = [3]uint64{uint64(listening), 1, uint64(limit)}
		if wait.CallWithStack(context.Background(), args[:]) != nil || in.mem.Store32(listening, 0) != nil {
			return
		}
	}
}

func (in *instance) rang() {
	select {
	case in.bell <- struct{}{}:
	default: // a ring is already waiting to be heard
	}
}

// notify wakes every waiter on the word at off.
func (in *instance) notify(off uint32) {
	in.wakeMu.Lock()
	defer in.wakeMu.Unlock()
	in.arg[0] = uint64(off)
	// The word was checked to lie in the memory: it cannot trap.
	_ = in.wake.CallWithStack(context.Background(), in.arg[:])
}

func (in *instance) close(body api.Module) {
	for _, m := range []api.Module{body, in.env} {
		if m != nil {
			// Closing wazero's modules frees no more than memory: it cannot fail.
			_ = m.Close(context.Background())
		}
	}
}

func (in *instance) Memory() capsule.Memory    { return in.mem }
func (in *instance) Control() uint32           { return in.control }
func (in *instance) Doorbell() <-chan struct{} { return in.bell }
func (in *instance) Done() <-chan struct{}     { return in.done }

// Err is nil until Done is closed.
func (in *instance) Err() error {
	select {
	case <-in.done:
		return in.err
	default:
		return nil
	}
}

// Kill ends the instance or, when it has ended already, lets its memory go.
func (in *instance) Kill() {
	if in.killed.Swap(true) {
		return
	}
	select {
	case <-in.done:
		in.mem.release()
		return
	default:
	}
	// The words the capsule may sleep on change after the kill word is set, so
	// that a wait about to start sees the change.
	err := in.mem.Store32(in.control+capsule.OffKill, 1)
	for _, off := range []uint32{capsule.OffCommandDoorbell, capsule.OffEventSpace} {
		v, e := in.mem.Load32(in.control + off)
		err = errors.Join(err, e, in.mem.Store32(in.control+off, v+1), in.mem.Notify(in.control+off))
	}
	_ = err // only an ended instance has no memory
	in.stop()
}
