package capsule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// task is a Run call at work. Its channels hold what the capsule answered: each
// ticket gets one Reserved and one RunDone, so their one slot never blocks.
type task struct {
	reserved chan Reserved
	done     chan RunDone
	progress chan Progress // the newest only

	// Below: guarded by Capsule.mu.
	asked, wasReserved bool // Reserve was sent, and answered
	running, wasDone   bool // Run was sent, and answered
	abandoned          bool // the caller has gone: the last answer frees the slot
}

// progressEvery is the least time between two progress reports of a task that are passed on; a
// newer report replaces one that was not. It keeps progress from carrying a result: 16 bytes ten
// times a second.
const progressEvery = 100 * time.Millisecond

// Run gives the capsule one task and blocks until its output, which the caller owns. Input and
// output cross by reference, with one copy each. onProgress may be nil; Run calls it on this
// goroutine with the newest progress, at most once every progressEvery. When ctx ends, Run returns
// at once and the task is cancelled at the capsule's next safe point. Errors match a RunError's
// sentinels, the capsule's end, ErrProtocol, ErrFrameTooLarge, t.Room's or ctx's. They also match
// ErrNoMemory when the task failed after the node had no memory for the capsule to grow.
func (c *Capsule) Run(ctx context.Context, t Task, onProgress func(Progress)) ([]byte, error) {
	select {
	case c.taskSlots <- struct{}{}:
	case <-c.dead:
		return nil, c.reason()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w := &task{reserved: make(chan Reserved, 1), done: make(chan RunDone, 1), progress: make(chan Progress, 1)}
	c.mu.Lock()
	if c.failed {
		c.mu.Unlock()
		<-c.taskSlots
		return nil, c.reason()
	}
	c.ticket++
	ticket := c.ticket
	c.tasks[ticket] = w
	c.mu.Unlock()

	wanting, _ := c.mem.(starver)
	if wanting != nil {
		wanting.Starved() // it is about tasks before this one
	}
	out, err := c.run(ctx, ticket, w, t, onProgress)
	if wanting != nil && ownEnd(err) && wanting.Starved() {
		err = fmt.Errorf("%w: %w", ErrNoMemory, err)
	}
	c.release(ticket, w)
	return out, err
}

// starver is a Memory that can say why it does not grow. Starved reports whether, since its last
// call, the node lacked the memory, rather than the capsule's own limit forbidding it.
type starver interface{ Starved() bool }

// ownEnd reports whether err is a failure of the capsule itself, as it follows from a lack of
// memory: the capsule says so, panics, or traps.
func ownEnd(err error) bool {
	for _, own := range []error{ErrRunNoMemory, ErrRunFailed, ErrPanicked, ErrTrap} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

func (c *Capsule) run(ctx context.Context, ticket uint64, w *task, t Task, onProgress func(Progress)) ([]byte, error) {
	msg := Run{Ticket: ticket, Method: t.Method, Args: t.Args}
	if len(t.Input) > 0 {
		room, err := c.reserve(ctx, ticket, w, uint64(len(t.Input)))
		if err != nil {
			return nil, err
		}
		if err := c.mem.Write(uint32(room.Offset), t.Input); err != nil {
			return nil, c.gone(err)
		}
		msg.Offset, msg.Length = room.Offset, uint64(len(t.Input))
	}
	if err := c.start(w, &w.running, msg, &c.spinForRun); err != nil {
		return nil, err
	}
	select {
	case d := <-w.done:
		return c.output(d, t.Room)
	default:
		c.nudge() // the pump keeps the capsule's clock while it works
	}
	progress := w.progress
	var pace *time.Timer // until the next report may be heard
	var paced <-chan time.Time
	for {
		select {
		case d := <-w.done:
			return c.output(d, t.Room)
		case p := <-progress:
			if onProgress != nil {
				onProgress(p)
			}
			if pace == nil {
				pace = time.NewTimer(progressEvery)
				defer pace.Stop()
				paced = pace.C
			} else {
				pace.Reset(progressEvery)
			}
			progress = nil
		case <-paced:
			progress = w.progress
		case <-c.dead:
			return nil, c.reason()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// start sends msg and marks it as sent, so that its answer is expected.
func (c *Capsule) start(w *task, mark *bool, msg any, h *spinner) error {
	c.mu.Lock()
	*mark = true
	c.mu.Unlock()
	err := c.sendNow(msg, time.Now(), h)
	if err != nil {
		c.mu.Lock()
		*mark = false
		c.mu.Unlock()
	}
	return err
}

// reserve asks for room and checks what the capsule answers before anything is
// written there.
func (c *Capsule) reserve(ctx context.Context, ticket uint64, w *task, bytes uint64) (Reserved, error) {
	if err := c.start(w, &w.asked, Reserve{Ticket: ticket, Bytes: bytes}, &c.spinForAnswer); err != nil {
		return Reserved{}, err
	}
	select {
	case r := <-w.reserved:
		if !r.OK {
			return r, &RunError{Code: RunNoMemory, Message: fmt.Sprintf("no room for %d bytes of input", bytes)}
		}
		if r.Length < bytes {
			return r, c.violated("%d bytes reserved for %d", r.Length, bytes)
		}
		return r, c.checkRegion("input", r.Offset, bytes)
	case <-c.dead:
		return Reserved{}, c.reason()
	case <-ctx.Done():
		return Reserved{}, ctx.Err()
	}
}

// output copies a task's output out of the capsule, if room has room for it.
func (c *Capsule) output(d RunDone, room func(uint64) error) ([]byte, error) {
	if d.Code != RunOK {
		return nil, &RunError{Code: d.Code, Message: d.Message}
	}
	if d.Length == 0 {
		return []byte{}, nil
	}
	if err := c.checkRegion("output", d.Offset, d.Length); err != nil {
		return nil, err
	}
	if room != nil {
		if err := room(d.Length); err != nil {
			return nil, err
		}
	}
	out := make([]byte, d.Length)
	if err := c.mem.Read(uint32(d.Offset), out); err != nil {
		return nil, c.gone(err)
	}
	return out, nil
}

func (c *Capsule) checkRegion(what string, off, size uint64) error {
	if n := c.mem.Len(); off == 0 || off > n || size > n-off {
		return c.violated("%s of %d bytes at %d lies outside the %d bytes of memory", what, size, off, n)
	}
	if c.cb.overlaps(off, size) {
		return c.violated("%s of %d bytes at %d overlaps the control block or a ring", what, size, off)
	}
	return nil
}

// violated kills the capsule for what it sent.
func (c *Capsule) violated(format string, args ...any) error {
	c.fail(fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...)))
	return c.reason()
}

// gone prefers the capsule's end over the memory error that it caused.
func (c *Capsule) gone(err error) error {
	if why := c.reason(); why != nil {
		return why
	}
	return err
}

// release ends a ticket. A task that the capsule still owes an answer keeps its
// slot until that comes: Release then means cancel.
func (c *Capsule) release(ticket uint64, w *task) {
	c.mu.Lock()
	used := w.asked || w.running
	w.abandoned = w.owed() && !c.failed
	if !w.abandoned {
		c.drop(ticket)
	}
	c.mu.Unlock()
	if used {
		// It is never too large, and a dead capsule needs no release.
		_ = c.sendNow(Release{Ticket: ticket}, time.Now(), nil)
	}
}

// owed reports whether an answer is still to come. Called with mu held.
func (w *task) owed() bool {
	return w.asked && !w.wasReserved || w.running && !w.wasDone
}

// drop forgets a ticket and frees its slot. Called with mu held.
func (c *Capsule) drop(ticket uint64) {
	delete(c.tasks, ticket)
	<-c.taskSlots
}

// answered hands the capsule's answer to the task it belongs to. Each is due at
// most once.
func (c *Capsule) answered(ticket uint64, deliver func(w *task) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.tasks[ticket]
	if !ok || !deliver(w) {
		if c.failed {
			return nil
		}
		return fmt.Errorf("%w: an answer to ticket %d, which waits for none", ErrProtocol, ticket)
	}
	if w.abandoned && !w.owed() {
		c.drop(ticket)
	}
	return nil
}

func (c *Capsule) reserved(r Reserved) error {
	return c.answered(r.Ticket, func(w *task) bool {
		due := w.asked && !w.wasReserved
		if due {
			w.wasReserved = true
			w.reserved <- r
		}
		return due
	})
}

func (c *Capsule) runDone(d RunDone) error {
	return c.answered(d.Ticket, func(w *task) bool {
		due := w.running && !w.wasDone
		if due {
			w.wasDone = true
			w.done <- d
		}
		return due
	})
}

// progressed replaces the progress that the caller has not seen yet. Only the
// pump sends here, so the second send has room.
func (c *Capsule) progressed(p Progress) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.tasks[p.Ticket]
	if !ok || !w.running || w.wasDone {
		if c.failed {
			return nil
		}
		return fmt.Errorf("%w: progress of ticket %d, which does not run", ErrProtocol, p.Ticket)
	}
	select {
	case w.progress <- p:
	default:
		select {
		case <-w.progress:
		default:
		}
		w.progress <- p
	}
	return nil
}
