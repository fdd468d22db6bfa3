package capsule

import (
	"context"
	"fmt"
)

// frame waits in the outbox for room in the command ring. sent is closed once
// it is there; nil when nobody waits.
type frame struct {
	kind    FrameKind
	payload []byte
	sent    chan struct{}
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
