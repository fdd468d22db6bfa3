package capsule

import (
	"errors"
	"fmt"
	"time"
)

// clockGrain is how old the capsule's clock may be when something is sent.
const clockGrain = time.Millisecond

// commandRoom is which part of the command ring only lifecycle commands may fill,
// so that they have a way in past a stream: 4 KiB of the SDK's 64, for some 30 of
// them while the capsule is paused and takes nothing else.
const commandRoom = 16

// pump owns the rings until the instance ends. It sleeps unless the capsule
// rings, a caller posts, or a task in flight needs its clock.
func (c *Capsule) pump() {
	defer close(c.done)
	tick := time.NewTicker(ClockInterval)
	tick.Stop()
	defer tick.Stop()
	var interval time.Duration // of tick; 0 is stopped
	for {
		more, err := c.turn()
		if err != nil {
			c.fail(err)
		}
		select {
		case c.turned <- struct{}{}:
		default:
		}
		if want := c.tickInterval(); want != interval {
			if interval = want; want == 0 {
				tick.Stop()
			} else {
				tick.Reset(want)
			}
		}
		if more {
			continue
		}
		select {
		case <-c.inst.Doorbell():
		case <-c.wake:
		case <-tick.C:
			if err := c.cb.SetClock(time.Now().UnixNano()); err != nil {
				c.fail(err)
			}
		case <-c.inst.Done():
			c.end()
			return
		case <-c.dead:
			<-c.inst.Done()
			return
		}
	}
}

// turn drains the events once, looks at the state and fills the command ring.
// more says that there may be further events.
func (c *Capsule) turn() (more bool, err error) {
	select {
	case <-c.dead:
		return false, nil
	default:
	}
	n := 0
	if c.hears() {
		c.hearing.Lock()
		n, err = c.cb.events.Drain(c.receive)
		c.hearing.Unlock()
		if err != nil {
			return false, err
		}
	}
	if state, err := c.cb.State(); err != nil {
		return false, err
	} else if state == StatePanicked {
		return false, &PanicError{Message: c.cb.PanicText()}
	}
	return n > 0, c.flush()
}

// flush moves the outbox into the command ring as far as there is room.
func (c *Capsule) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.outbox) == 0 {
		return nil
	}
	return c.flushAt(time.Now())
}

// flushAt is flush with mu held.
func (c *Capsule) flushAt(now time.Time) error {
	if c.held {
		return nil
	}
	if now.Sub(c.clock) >= clockGrain {
		if err := c.cb.SetClock(now.UnixNano()); err != nil {
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

func (c *Capsule) tickInterval() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed:
		return 0
	case len(c.tasks) > 0:
		return ClockInterval
	default:
		return 0
	}
}

// end hears the last words of an instance that ended by itself.
func (c *Capsule) end() {
	c.cfg.Full = nil
	for {
		more, err := c.turn()
		if err != nil {
			c.fail(err)
			return
		}
		if !more {
			break
		}
	}
	err := c.inst.Err()
	if err == nil {
		err = ErrStopped
	}
	c.fail(err)
}

// receive handles one event. An error ends the capsule.
func (c *Capsule) receive(kind FrameKind, payload []byte) error {
	if kind == FrameData {
		if c.cfg.OnData != nil {
			c.cfg.OnData(payload)
		}
		return nil
	}
	msg, err := c.cfg.Codec.Decode(kind, payload)
	if err != nil {
		return fmt.Errorf("%w: frame of kind %d: %w", ErrProtocol, kind, err)
	}
	switch msg := msg.(type) {
	case Heartbeat:
		return c.heartbeat(msg)
	case Reply:
		return c.replied(msg)
	case Reserved:
		return c.reserved(msg)
	case RunDone:
		return c.runDone(msg)
	case Progress:
		return c.progressed(msg)
	case Log:
		if c.cfg.OnLog != nil {
			c.cfg.OnLog(msg)
		}
		return nil
	default:
		return fmt.Errorf("%w: a capsule does not send frames of kind %d", ErrProtocol, kind)
	}
}

func (c *Capsule) heartbeat(h Heartbeat) error {
	h.CapsuleID = c.cfg.ID // it says what the host told it, if anything
	c.mu.Lock()
	if h.MemoryEpoch != c.epoch && !c.isReady {
		c.mu.Unlock()
		return nil // sent before the host had set the epoch
	}
	if err := c.checkEpoch(h.MemoryEpoch); err != nil {
		c.mu.Unlock()
		return err
	}
	c.last = h
	first := !c.isReady
	c.isReady = true
	c.mu.Unlock()
	if c.cfg.OnHeartbeat != nil {
		c.cfg.OnHeartbeat(h)
	}
	if first {
		close(c.ready) // who waits for it may count on OnHeartbeat having heard it
	}
	return nil
}

// checkEpoch accepts this instance's epochs only: the first and those that its
// resizes made. Called with mu held.
func (c *Capsule) checkEpoch(epoch uint32) error {
	if epoch < c.cfg.Epoch || epoch > c.epoch {
		return fmt.Errorf("%w: an answer from memory epoch %d, this instance has %d to %d",
			ErrProtocol, epoch, c.cfg.Epoch, c.epoch)
	}
	return nil
}
