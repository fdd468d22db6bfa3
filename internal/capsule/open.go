package capsule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Open instantiates mod and waits for its first heartbeat. It blocks until then
// at most cfg.ReadyTimeout; ctx ends the wait, not the capsule. Errors match
// ErrNotReady, ErrArgs, ErrNoControlBlock, ErrABIVersion, ErrTrap, ErrPanicked,
// ErrRingBroken, ErrProtocol, ErrStopped or ctx's; nothing is left running then.
func Open(ctx context.Context, mod Module, cfg Config) (*Capsule, error) {
	return open(ctx, mod, cfg, mod.Instantiate)
}

// Restore is Open for a capsule that goes on from im, between the jobs where the
// image was taken: with its statics, its heap and the stream data it had not
// read. It runs even if it was paused. A zero cfg.Epoch means the image's plus 1,
// so that a late answer of the old instance is not taken for a new one's. Errors
// match Open's, ErrImage, or errors.ErrUnsupported when mod is no Restorer.
func Restore(ctx context.Context, mod Module, im *Image, cfg Config) (*Capsule, error) {
	r, ok := mod.(Restorer)
	if !ok {
		return nil, fmt.Errorf("capsule: restore: %w", errors.ErrUnsupported)
	}
	if err := im.fits(mod.Info()); err != nil {
		return nil, err
	}
	if cfg.Epoch == 0 {
		cfg.Epoch = im.Epoch + 1
	}
	return open(ctx, mod, cfg, func(ctx context.Context, epoch uint32, limit uint64) (Instance, error) {
		if im.MemoryBytes > limit {
			return nil, fmt.Errorf("%w: its memory of %d bytes exceeds the limit of %d", ErrImage, im.MemoryBytes, limit)
		}
		return r.Restore(ctx, epoch, limit, im)
	})
}

// open starts an instance by instantiate and waits for its first heartbeat.
func open(ctx context.Context, mod Module, cfg Config,
	instantiate func(context.Context, uint32, uint64) (Instance, error)) (*Capsule, error) {
	cfg, err := cfg.withDefaults(mod.Info())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.ReadyTimeout, ErrNotReady)
	defer cancel()
	inst, err := instantiate(ctx, cfg.Epoch, cfg.MemoryLimit)
	if err != nil {
		return nil, err
	}
	cb, err := attach(ctx, inst)
	born := time.Now()
	if err == nil {
		err = errors.Join(cb.SetEpoch(cfg.Epoch), cb.SetHeartbeat(uint32(max(cfg.Heartbeat.Milliseconds(), 1))),
			cb.SetClock(born.UnixNano()), cb.SetLooks(looks(inst.Memory())))
	}
	if err != nil {
		inst.Kill()
		<-inst.Done()
		return nil, err
	}
	c := &Capsule{
		cfg: cfg, born: born, info: mod.Info(), inst: inst, mem: inst.Memory(), cb: cb,
		taskSlots:    make(chan struct{}, cfg.MaxTasks),
		commandSlots: make(chan struct{}, cfg.MaxCommands),
		wake:         make(chan struct{}, 1),
		dead:         make(chan struct{}),
		ready:        make(chan struct{}),
		done:         make(chan struct{}),
		turned:       make(chan struct{}, 1),
		snapshotting: make(chan struct{}, 1),
		limits:       newMessageLimits(),
		epoch:        cfg.Epoch,
		tasks:        map[uint64]*task{},
		commands:     map[string]chan Reply{},
	}
	go c.pump()
	select {
	case <-c.ready:
		if err = c.begin(ctx); err == nil {
			return c, nil
		}
	case <-c.dead:
		err = c.reason()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.Kill(err)
	<-c.done
	return nil, err
}

// bootPoll is how often attach looks whether a capsule that has not rung has
// left StateBooting all the same.
const bootPoll = 20 * time.Millisecond

// attach waits until the capsule has filled its control block in.
func attach(ctx context.Context, inst Instance) (*ControlBlock, error) {
	poll := time.NewTicker(bootPoll)
	defer poll.Stop()
	for {
		mem, at := inst.Memory(), inst.Control()
		magic, err := mem.Load32(at + OffMagic)
		if err != nil {
			return nil, errors.Join(ErrNoControlBlock, err)
		}
		state, err := mem.Load32(at + OffState)
		if err != nil {
			return nil, errors.Join(ErrNoControlBlock, err)
		}
		version, err := mem.Load32(at + OffABIVersion)
		switch {
		case err != nil:
			return nil, errors.Join(ErrNoControlBlock, err)
		case magic == ControlMagic && version != 0 && version != ABIVersion:
			return nil, &ABIError{Capsule: version, Host: ABIVersion}
		case state == StatePanicked:
			return nil, &PanicError{Message: (&ControlBlock{mem: mem, base: at}).PanicText()}
		case state != StateBooting && state != StateTrapped:
			return Attach(mem, at)
		}
		select {
		case <-inst.Doorbell():
		case <-poll.C:
		case <-inst.Done():
			if err := inst.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w before it was ready", ErrStopped)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
