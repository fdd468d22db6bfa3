package capsule

// hurry decides when a caller that has just sent a command looks for the answer
// itself, before it lets the thread go to sleep (Spinner). Guarded by
// Capsule.mu.
type hurry struct {
	misses uint // in a row
	turn   uint
}

const (
	missesBeforeRest = 4  // so many answers in a row that took longer ...
	restingTurns     = 16 // ... and only every 16th command is worth a look
)

// worth reports whether to look this time.
func (h *hurry) worth() bool {
	h.turn++
	return h.misses < missesBeforeRest || h.turn%restingTurns == 0
}

func (h *hurry) found(found bool) {
	if found {
		h.misses = 0
	} else {
		h.misses++
	}
}

// rung is the event doorbell before a command is sent; ok says whether looking at
// it afterwards is worth it: the host is a Spinner and no job keeps the capsule.
func (c *Capsule) rung() (seen uint32, spin Spinner, ok bool) {
	spin, ok = c.mem.(Spinner)
	if !ok {
		return 0, nil, false
	}
	c.mu.Lock()
	ok = len(c.tasks) == 0 && c.hurry.worth()
	c.mu.Unlock()
	if !ok {
		return 0, nil, false
	}
	seen, err := c.mem.Load32(c.cb.base + OffEventDoorbell)
	return seen, spin, err == nil
}

// sendNow sends msg without the pump, when there is room, and looks for what the
// capsule answers.
func (c *Capsule) sendNow(msg any) error {
	seen, spin, look := c.rung()
	if err := c.send(msg); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		c.fail(err)
		return c.reason()
	}
	if look {
		found := spin.Spin(c.cb.base+OffEventDoorbell, seen)
		c.mu.Lock()
		c.hurry.found(found)
		c.mu.Unlock()
		// The pump, which send has woken, hears the answer.
	}
	return nil
}
