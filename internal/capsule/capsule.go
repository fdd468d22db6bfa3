package capsule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Capsule is one live instance. One pump goroutine owns its rings; every method
// may be called from any goroutine. When it dies, whatever is pending is
// answered with the reason.
type Capsule struct {
	cfg  Config
	info ModuleInfo
	inst Instance
	mem  Memory
	cb   *ControlBlock // commands: with mu held; events: with hearing held; the rest are constants

	taskSlots    chan struct{}
	commandSlots chan struct{}
	wake         chan struct{} // the outbox has something, or the pump must look
	dead         chan struct{} // closed by fail: nothing will be answered any more
	ready        chan struct{} // closed at the first heartbeat
	done         chan struct{} // closed when the instance and the pump have ended
	turned       chan struct{} // the pump has looked at the capsule
	taking       chan struct{} // holds one element while an image is taken

	hearing sync.Mutex // held while events are taken; taken before mu

	// The pump's own.
	chatter chatter
	tired   bool // it must pause

	mu       sync.Mutex
	err      error // set once, before dead is closed
	failed   bool
	epoch    uint32
	outbox   []frame
	tasks    map[uint64]*task
	commands map[string]chan Reply
	ticket   uint64
	serial   uint64
	clock    time.Time // when flushAt set the capsule's clock last
	held     bool      // nothing goes into the command ring
	freezes  uint32    // number of the last freeze request
	last     Heartbeat
	isReady  bool
	toAnswer hurry // of commands and reservations
	toRun    hurry // of jobs
}

// frame waits in the outbox for room in the command ring. sent is closed once
// it is there; nil when nobody waits.
type frame struct {
	kind    FrameKind
	payload []byte
	sent    chan struct{}
}

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
	if err == nil {
		err = errors.Join(cb.SetEpoch(cfg.Epoch), cb.SetHeartbeat(uint32(max(cfg.Heartbeat.Milliseconds(), 1))),
			cb.SetClock(time.Now().UnixNano()), cb.SetLooks(looks(inst.Memory())))
	}
	if err != nil {
		inst.Kill()
		<-inst.Done()
		return nil, err
	}
	c := &Capsule{
		cfg: cfg, info: mod.Info(), inst: inst, mem: inst.Memory(), cb: cb,
		taskSlots:    make(chan struct{}, cfg.MaxTasks),
		commandSlots: make(chan struct{}, cfg.MaxCommands),
		wake:         make(chan struct{}, 1),
		dead:         make(chan struct{}),
		ready:        make(chan struct{}),
		done:         make(chan struct{}),
		turned:       make(chan struct{}, 1),
		taking:       make(chan struct{}, 1),
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
	c.Kill(err.Error())
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

// ID is Config.ID.
func (c *Capsule) ID() string { return c.cfg.ID }

// Info describes the module.
func (c *Capsule) Info() ModuleInfo { return c.info }

// MemoryLimit is the most memory the capsule may ever have, in bytes.
func (c *Capsule) MemoryLimit() uint64 { return c.cfg.MemoryLimit }

// MemoryBytes is the memory's present length.
func (c *Capsule) MemoryBytes() uint64 { return c.mem.Len() }

// Epoch is the present memory epoch: it counts up with every resize.
func (c *Capsule) Epoch() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// LastHeartbeat is the newest heartbeat.
func (c *Capsule) LastHeartbeat() Heartbeat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Pending is how many Run calls are at work in the capsule.
func (c *Capsule) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tasks)
}

// Kill ends the capsule: the kill word first, then its thread. Everything
// pending is answered at once with an error that matches ErrKilled and names
// reason. Idempotent, does not wait: Done does.
func (c *Capsule) Kill(reason string) {
	if reason == "" {
		reason = "no reason given"
	}
	c.fail(fmt.Errorf("%w: %s", ErrKilled, reason))
}

// Done is closed when the instance runs no more and nothing is pending.
func (c *Capsule) Done() <-chan struct{} { return c.done }

// Err says, once Done is closed, how the capsule ended: nil for a clean end, or
// an error that matches ErrKilled, ErrPanicked, ErrTrap, ErrRingBroken or
// ErrProtocol. Before that it is nil.
func (c *Capsule) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if err := c.reason(); err != ErrStopped {
		return err
	}
	return nil
}

// reason is why nothing is answered any more; nil while it lives.
func (c *Capsule) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the capsule for err: the first one counts.
func (c *Capsule) fail(err error) {
	c.mu.Lock()
	if c.failed {
		c.mu.Unlock()
		return
	}
	c.failed, c.err = true, err
	c.outbox = nil
	clear(c.tasks)
	clear(c.commands)
	close(c.dead)
	c.mu.Unlock()
	c.inst.Kill()
}

// nudge makes the pump look at its outbox.
func (c *Capsule) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// post queues a frame for the command ring. The outbox is bounded by the slots
// of its callers. It returns nil, or why the capsule is dead.
func (c *Capsule) post(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed {
		return c.err
	}
	c.outbox = append(c.outbox, f)
	c.nudge()
	return nil
}

// encode makes a frame of msg.
func (c *Capsule) encode(msg any) (frame, error) {
	kind, payload, err := c.cfg.Codec.Encode(msg)
	if err != nil {
		return frame{}, err
	}
	if limit := MaxPayload(c.cb.commands.size); uint64(len(payload)) > uint64(limit) {
		return frame{}, fmt.Errorf("%w: %d bytes, the command ring takes %d", ErrFrameTooLarge, len(payload), limit)
	}
	return frame{kind: kind, payload: payload}, nil
}

// Send pushes opaque bytes of a stream to the capsule and blocks until they are
// in its ring. Errors match ErrFrameTooLarge, the capsule's end, or ctx's.
func (c *Capsule) Send(ctx context.Context, p []byte) error {
	if limit := MaxPayload(c.cb.commands.size); uint64(len(p)) > uint64(limit) {
		return fmt.Errorf("%w: %d bytes, the command ring takes %d", ErrFrameTooLarge, len(p), limit)
	}
	sent := make(chan struct{})
	if err := c.post(frame{kind: FrameData, payload: p, sent: sent}); err != nil {
		return err
	}
	select {
	case <-sent:
		return nil
	case <-c.dead:
		return c.reason()
	case <-ctx.Done():
		if c.withdraw(sent) {
			return ctx.Err()
		}
		return nil
	}
}

// withdraw takes a frame out of the outbox again, if it still is there.
func (c *Capsule) withdraw(sent chan struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.outbox {
		if c.outbox[i].sent == sent {
			c.outbox = append(c.outbox[:i], c.outbox[i+1:]...)
			return true
		}
	}
	return c.failed
}
