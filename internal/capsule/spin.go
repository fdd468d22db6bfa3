package capsule

import "time"

// spinner decides whether a caller that has just sent something polls for the answer before it lets
// the thread sleep (Spinning): it does while polling has paid off lately. Capsule.mu guards it.
type spinner struct {
	misses uint // in a row
	turn   uint
}

const (
	missesBeforeRest = 4  // so many answers in a row that took longer ...
	restingTurns     = 16 // ... and only every 16th is worth a look
)

// worth reports whether to look this time.
func (h *spinner) worth() bool {
	h.turn++
	return h.misses < missesBeforeRest || h.turn%restingTurns == 0
}

func (h *spinner) found(found bool) {
	if found {
		h.misses = 0
	} else {
		h.misses++
	}
}

// looks is how often a capsule on mem looks at its doorbell before it sleeps on it.
// It may rest, as a spinner does.
func looks(mem Memory) uint32 {
	if _, ok := mem.(Spinning); ok {
		return 400 // what a host takes from an answer to its next command
	}
	return 0
}

// free reports whether the capsule could answer at once: no job keeps it, but for
// the one that h says is just being sent. Called with mu held.
func (c *Capsule) free(h *spinner) bool {
	jobs := 0
	for _, w := range c.tasks {
		if w.running && !w.wasDone {
			jobs++
		}
	}
	return jobs == 0 || jobs == 1 && h == &c.spinForRun
}

// sendNow encodes msg and puts it into the command ring without the pump, when there is room;
// otherwise the pump sends it. On a Spinning host, if h allows it, sendNow then polls for the
// answer and takes it, which spares the browser's wake-up and the pump's turn. h is nil when no
// answer is due at once. now is the time of the call.
func (c *Capsule) sendNow(msg any, now time.Time, h *spinner) error {
	f, err := c.encode(msg)
	if err != nil {
		return err
	}
	doorbell := c.cb.base + OffEventDoorbell
	var seen uint32
	c.mu.Lock()
	if c.failed {
		defer c.mu.Unlock()
		return c.err
	}
	spin, look := c.mem.(Spinning)
	look = look && h != nil && c.free(h) && h.worth()
	if look {
		seen, err = c.mem.Load32(doorbell)
		look = err == nil
	}
	c.outbox = append(c.outbox, f)
	err = c.flushAt(now)
	left := len(c.outbox) > 0
	c.mu.Unlock()
	if err != nil {
		c.fail(err)
		return c.reason()
	}
	if left {
		c.nudge()
		return nil
	}
	if !look {
		return nil
	}
	found := spin.Spin(doorbell, seen)
	c.mu.Lock()
	h.found(found)
	c.mu.Unlock()
	if found {
		c.hear()
	}
	return nil
}

// hear takes the answers that lead the event ring. Anything else there is the
// pump's, which the same doorbell wakes: callbacks run on its goroutine only.
func (c *Capsule) hear() {
	if !c.hearing.TryLock() {
		return // the pump is about to find them
	}
	defer c.hearing.Unlock()
	for more := true; more; {
		kind, payload, rest, err := c.cb.events.pop(FrameReply, FrameReserved, FrameRunDone)
		if err == nil && kind != 0 {
			err = c.receive(kind, payload)
		}
		if err != nil {
			c.fail(err)
			return
		}
		more = kind != 0 && rest > 0
	}
}
