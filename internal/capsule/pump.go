package capsule

import (
	"errors"
	"time"
)

// clockGrain is how old the capsule's clock may be when something is sent.
const clockGrain = time.Millisecond

// commandRoom is which part of the command ring only lifecycle commands may fill,
// so that they have a way in past a stream: 4 KiB of the SDK's 64, for some 30 of
// them while the capsule is paused and takes nothing else.
const commandRoom = 16

// pump owns the rings until the instance ends. It sleeps unless the capsule
// rings, a caller posts, or the capsule needs its clock.
func (c *Capsule) pump() {
	defer close(c.done)
	tick := time.NewTicker(ClockInterval)
	tick.Stop()
	defer tick.Stop()
	ticks := false
	var rest <-chan struct{} // not nil: the events wait until it delivers
	for {
		more, works, err := c.turn(rest == nil)
		if err != nil {
			c.fail(err)
		}
		select {
		case c.turned <- struct{}{}:
		default:
		}
		if works != ticks {
			if ticks = works; works {
				tick.Reset(ClockInterval)
			} else {
				tick.Stop()
			}
		}
		if more {
			if rest = c.pause(); rest == nil {
				select {
				case <-tick.C:
					c.keepTime()
				default:
				}
				continue
			}
		}
		bell := c.inst.Doorbell()
		if rest != nil {
			bell = nil
		}
		select {
		case <-bell:
		case <-rest:
			rest = nil
		case <-c.wake:
		case <-tick.C:
			c.keepTime()
		case <-c.inst.Done():
			c.end()
			return
		case <-c.dead:
			<-c.inst.Done()
			return
		}
	}
}

// keepTime sets the capsule's clock.
func (c *Capsule) keepTime() {
	if err := c.cb.SetClock(c.clockAt(time.Now())); err != nil {
		c.fail(err)
	}
}

// clockAt is what the capsule's clock says at now: it runs on evenly when this machine's
// clock is set, or a capsule would miss its heartbeats for as long as that was put back.
func (c *Capsule) clockAt(now time.Time) int64 { return c.born.UnixNano() + int64(now.Sub(c.born)) }

// turn takes events, if it shall, looks at the state and fills the command ring.
// more says that there may be further events, works that the capsule has something
// to do, for which it needs its clock.
func (c *Capsule) turn(drain bool) (more, works bool, err error) {
	select {
	case <-c.dead:
		return false, false, nil
	default:
	}
	if drain && c.hears() {
		c.hearing.Lock()
		n, err := c.cb.events.drain(c.receive, c.enough)
		c.hearing.Unlock()
		if err != nil {
			return false, false, err
		}
		more = n > 0
	}
	if c.limits.waiting() {
		if err := c.catchUp(time.Now()); err != nil {
			return false, false, err
		}
	}
	state, err := c.cb.State()
	switch {
	case err != nil:
		return false, false, err
	case state == StatePanicked:
		return false, false, &PanicError{Message: c.cb.PanicText()}
	}
	works, err = c.flush(state)
	return more, works || c.limits.waiting(), err
}

// enough reports whether the pump has kept the thread for long enough.
func (c *Capsule) enough() bool {
	y, shared := c.inst.(Yielder)
	c.tired = shared && y.Tired()
	return c.tired
}

// pause asks for the end of a rest, if one is due; nil goes on.
func (c *Capsule) pause() <-chan struct{} {
	if !c.tired {
		return nil
	}
	c.tired = false
	return c.inst.(Yielder).Yield()
}

// flush moves the outbox into the command ring as far as there is room. works says
// that the capsule has a job or data of a stream; while it is paused it sleeps on
// its data and needs no clock.
func (c *Capsule) flush(state uint32) (works bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.outbox) > 0 {
		if err := c.flushAt(time.Now()); err != nil {
			return false, err
		}
	}
	// Even if there is nothing to send, a head that lies is noticed at every turn.
	used, err := c.cb.commands.Used()
	switch {
	case err != nil || len(c.tasks) > 0:
		return true, err
	case state == StatePaused:
		return false, nil
	case used > 0:
		return true, nil
	}
	return c.cb.Busy()
}

// flushAt is flush of an outbox that is not empty, with mu held.
func (c *Capsule) flushAt(now time.Time) error {
	if c.held {
		return nil
	}
	if now.Sub(c.clock) >= clockGrain {
		if err := c.cb.SetClock(c.clockAt(now)); err != nil {
			return err
		}
		c.clock = now
	}
	// A head that lies is noticed now, not when the ring seems full.
	if _, err := c.cb.commands.Used(); err != nil {
		return err
	}
	kept := c.outbox[:0]
	var err error
	full := false
	for _, f := range c.outbox {
		// In order, but for lifecycle commands: they overtake what has no room, or
		// a capsule paused under a stream could not be resumed.
		if err != nil || full && f.kind != FrameCommand {
			kept = append(kept, f)
			continue
		}
		spare := c.cb.commands.size / commandRoom
		if f.kind == FrameCommand {
			spare = 0
		}
		switch e := c.cb.commands.push(f.kind, f.payload, spare); {
		case errors.Is(e, ErrRingFull):
			full = true
			kept = append(kept, f)
		case e != nil:
			err = e
		case f.sent != nil:
			close(f.sent)
		}
	}
	clear(c.outbox[len(kept):])
	c.outbox = kept
	if err == nil && !full {
		err = c.cb.commands.content()
	}
	return err
}

// end hears the last words of an instance that ended by itself.
func (c *Capsule) end() {
	c.cfg.Full = nil
	for more := true; more; {
		var err error
		if more, _, err = c.turn(true); err != nil {
			c.fail(err)
			return
		}
		if rest := c.pause(); rest != nil {
			<-rest
		}
	}
	c.report(time.Now())
	err := c.inst.Err()
	if err == nil {
		err = ErrStopped
	}
	c.fail(err)
}

// Look makes the capsule ask Config.Full again.
func (c *Capsule) Look() { c.nudge() }

// hears reports whether events are to be taken out of the ring.
func (c *Capsule) hears() bool { return c.cfg.Full == nil || !c.cfg.Full() }
