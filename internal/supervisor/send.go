package supervisor

import (
	"context"
	"fmt"
)

// Send pushes one frame of a stream to the capsule called id and blocks until it
// is in the capsule's ring: a capsule that reads slowly holds its sender back.
// The instance of a job takes no stream: it is nobody's but the job's. Errors match
// ErrNoCapsule, ErrStopped while it is between two instances, or are
// those of capsule.Capsule.Send.
func (s *Supervisor) Send(ctx context.Context, id string, p []byte) error {
	s.mu.Lock()
	ch := s.live[id]
	if ch == nil || ch.forJob {
		s.mu.Unlock()
		return fmt.Errorf("%w: %.80q", ErrNoCapsule, id)
	}
	c := ch.cap // one that is being ended says itself how it ended
	s.mu.Unlock()
	if c == nil {
		return ErrStopped
	}
	return c.Send(ctx, p)
}
