package capsule

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Command carries out Pause, Resume, ResizeMem or Kill. It blocks until the answer, at most until
// cmd.Deadline, or for Config.CommandTimeout when there is none. It always fills in the Reply: with
// Code Deadline the error matches ErrDeadline, with Code Crashed it is the capsule's end; a refusal
// is a Code with a nil error. When ctx ends first the error is ctx's and the code Deadline. A live
// capsule does not answer Spawn (InvalidState) and Snapshot (Unsupported).
func (c *Capsule) Command(ctx context.Context, cmd Command) (Reply, error) {
	now := time.Now()
	if cmd.Deadline.IsZero() {
		cmd.Deadline = now.Add(c.cfg.CommandTimeout)
	}
	if cmd.Timestamp.IsZero() {
		cmd.Timestamp = now
	}
	cmd.Target = c.cfg.ID
	if cmd.Type == Pause || cmd.Type == Resume {
		return c.ask(ctx, cmd, now)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, cmd.Deadline, ErrDeadline)
	defer cancel()
	switch cmd.Type {
	case ResizeMem:
		return c.resize(ctx, cmd, now)
	case Kill:
		return c.kill(ctx, cmd)
	case Spawn:
		return c.reply(cmd, InvalidState, "it runs already"), nil
	default:
		return c.reply(cmd, Unsupported, fmt.Sprintf("a live capsule has no command %d", cmd.Type)), nil
	}
}

// ask sends cmd through the ring and waits. A command whose deadline passed
// keeps its slot until the capsule answers, which bounds what is at work in it.
func (c *Capsule) ask(ctx context.Context, cmd Command, now time.Time) (Reply, error) {
	var deadline timer
	defer deadline.stop()
	select {
	case c.commandSlots <- struct{}{}:
	default:
		select {
		case c.commandSlots <- struct{}{}:
		case <-c.dead:
			return c.crashed(cmd)
		case <-deadline.at(cmd.Deadline):
			return c.overdue(cmd, ErrDeadline)
		case <-ctx.Done():
			return c.late(ctx, cmd)
		}
	}
	id := cmd.ID
	answer := make(chan Reply, 1)
	c.mu.Lock()
	if id == "" {
		c.serial++
		id = "#" + strconv.FormatUint(c.serial, 10)
	}
	if _, taken := c.commands[id]; taken {
		c.mu.Unlock()
		<-c.commandSlots
		return c.reply(cmd, BadParams, "a command with this id is at work"), nil
	}
	if c.failed {
		c.mu.Unlock()
		<-c.commandSlots
		return c.crashed(cmd)
	}
	c.commands[id] = answer
	c.mu.Unlock()

	wire := cmd
	wire.ID = id
	if err := c.sendNow(wire, now, &c.spinForAnswer); err != nil {
		c.forget(id)
		if c.reason() != nil {
			return c.crashed(cmd)
		}
		return c.reply(cmd, BadParams, err.Error()), nil
	}
	var r Reply
	select {
	case r = <-answer:
	default:
		select {
		case r = <-answer:
		case <-c.dead:
			return c.crashed(cmd)
		case <-deadline.at(cmd.Deadline):
			return c.overdue(cmd, ErrDeadline)
		case <-ctx.Done():
			return c.late(ctx, cmd)
		}
	}
	// The host knows these better than the capsule.
	r.ID, r.CapsuleID, r.MemoryBytes = cmd.ID, c.cfg.ID, c.mem.Len()
	return r, nil
}

// timer is made when it is first waited for: most commands are answered before,
// and a timer or a context with a deadline costs a fraction of the answer.
type timer struct{ t *time.Timer }

func (t *timer) at(when time.Time) <-chan time.Time {
	if t.t == nil {
		t.t = time.NewTimer(time.Until(when))
	}
	return t.t.C
}

func (t *timer) stop() {
	if t.t != nil {
		t.t.Stop()
	}
}

// replied hands a reply to the command that waits for it.
func (c *Capsule) replied(r Reply) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.commands[r.ID]
	if !ok {
		return fmt.Errorf("%w: a reply to command %.40q, which waits for none", ErrProtocol, r.ID)
	}
	if err := c.checkEpoch(r.MemoryEpoch); err != nil {
		return err
	}
	delete(c.commands, r.ID)
	<-c.commandSlots
	answer <- r // it has room, and nobody reads it past the deadline
	return nil
}

// resize grows the memory here, raises the epoch, and lets the capsule know.
func (c *Capsule) resize(ctx context.Context, cmd Command, now time.Time) (Reply, error) {
	if cmd.Resize == nil {
		return c.reply(cmd, BadParams, "no ResizeMemParams"), nil
	}
	want, have := cmd.Resize.Bytes, c.mem.Len()
	switch {
	case want > c.cfg.MemoryLimit:
		return c.reply(cmd, Limit, fmt.Sprintf("%d bytes asked, the limit is %d", want, c.cfg.MemoryLimit)), nil
	case want < have:
		return c.reply(cmd, Refused, fmt.Sprintf("%d bytes asked, %d in use: a memory cannot shrink", want, have)), nil
	}
	if want > have {
		if err := c.grow(want); err != nil {
			if c.reason() != nil {
				return c.crashed(cmd)
			}
			return c.reply(cmd, Limit, err.Error()), nil
		}
	}
	return c.ask(ctx, cmd, now)
}

// grow makes the memory longer and starts a new epoch.
func (c *Capsule) grow(bytes uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed {
		return c.err
	}
	if _, err := c.mem.Grow(bytes); err != nil {
		return err
	}
	c.epoch++
	return c.cb.SetEpoch(c.epoch)
}

// kill lets a task in flight go on for the grace given, then ends the capsule.
func (c *Capsule) kill(ctx context.Context, cmd Command) (Reply, error) {
	reason, grace := "killed by command", time.Duration(0)
	if cmd.Kill != nil {
		if cmd.Kill.Reason != "" {
			reason = cmd.Kill.Reason
		}
		grace = min(cmd.Kill.Grace, time.Until(cmd.Deadline))
	}
	if grace > 0 {
		limited, cancel := context.WithTimeout(ctx, grace)
		_, _ = c.ask(limited, cmd, time.Now()) // however it answers, it ends
		select {
		case <-c.inst.Done():
		case <-limited.Done():
		}
		cancel()
	}
	c.Kill(errors.New(reason))
	select {
	case <-c.done:
		return c.reply(cmd, OK, ""), nil
	case <-ctx.Done():
		return c.late(ctx, cmd)
	}
}

// forget drops a command that was never sent.
func (c *Capsule) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.commands, id)
	<-c.commandSlots
}

func (c *Capsule) reply(cmd Command, code ReplyCode, message string) Reply {
	return Reply{ID: cmd.ID, Code: code, Message: message, CapsuleID: c.cfg.ID,
		MemoryBytes: c.mem.Len(), MemoryEpoch: c.Epoch(), Timestamp: time.Now()}
}

func (c *Capsule) crashed(cmd Command) (Reply, error) {
	err := c.reason()
	return c.reply(cmd, Crashed, err.Error()), err
}

func (c *Capsule) late(ctx context.Context, cmd Command) (Reply, error) {
	return c.overdue(cmd, context.Cause(ctx))
}

func (c *Capsule) overdue(cmd Command, err error) (Reply, error) {
	if errors.Is(err, ErrDeadline) {
		err = fmt.Errorf("%w: %s within %s", ErrDeadline, cmd.Type, cmd.Deadline.Sub(cmd.Timestamp).Round(time.Millisecond))
	}
	return c.reply(cmd, Deadline, err.Error()), err
}
