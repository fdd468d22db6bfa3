package capsule

import "fmt"

// receive handles one event. An error ends the capsule.
func (c *Capsule) receive(kind FrameKind, payload []byte) error {
	if kind == FrameData {
		if c.cfg.OnData != nil {
			c.cfg.OnData(payload)
		}
		return nil
	}
	if c.excess(kind, payload) {
		return nil
	}
	msg, err := c.decode(kind, payload)
	if err != nil {
		return err
	}
	return c.handle(kind, msg)
}

func (c *Capsule) decode(kind FrameKind, payload []byte) (any, error) {
	msg, err := c.cfg.Codec.Decode(kind, payload)
	if err != nil {
		return nil, fmt.Errorf("%w: frame of kind %d: %w", ErrProtocol, kind, err)
	}
	return msg, nil
}

func (c *Capsule) handle(kind FrameKind, msg any) error {
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
