package supervisor

import (
	"context"
	"fmt"
)

// Send pushes one frame of a stream to the capsule called id and blocks until the frame is in the
// capsule's ring: a capsule that reads slowly holds its sender back. The instance of a job takes no
// stream. Errors match ErrNoCapsule, ErrStopped between two instances of the capsule, or are those
// of capsule.Capsule.Send.
func (s *Supervisor) Send(ctx context.Context, id string, p []byte) error {
	s.mu.Lock()
	ch := s.live[id]
	if ch == nil || ch.forJob {
		s.mu.Unlock()
		return fmt.Errorf("%w: %.80q", ErrNoCapsule, id)
	}
	c := ch.cap // a capsule that is ending reports its own end
	s.mu.Unlock()
	if c == nil {
		return ErrStopped
	}
	return c.Send(ctx, p)
}
