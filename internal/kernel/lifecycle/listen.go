package lifecycle

import (
	"errors"
	"fmt"
	"io"

	"inos/internal/identity"
)

// streamSource is the part of Capsules whose streams can be listened to. Supervised has it.
type streamSource interface {
	Listen(capsuleID string) (Listening, error)
}

// Listening is the stream of what a capsule emits.
type Listening interface {
	io.ReadCloser
	// Ended is closed once nothing more comes: the capsule has ended, or Close was
	// called. Read then returns what is left, and the end, without blocking.
	Ended() <-chan struct{}
}

// Listen opens the stream of what a capsule of this node emits from now on: Feed's
// counterpart. Its Read blocks until there is something and returns what the capsule
// ended with once it has; Close ends a Read at work. Whoever does not read holds the
// capsule back. Errors match supervisor.ErrNoCapsule, ErrStopped or ErrListeners, or
// errors.ErrUnsupported for a capsule of another node.
func (s *Service) Listen(node identity.PeerID, capsuleID string) (Listening, error) {
	if node != "" && node != s.cfg.Self {
		return nil, fmt.Errorf("kernel: listening to a capsule of another node: %w", errors.ErrUnsupported)
	}
	from, ok := s.cfg.Capsules.(streamSource)
	if !ok {
		return nil, fmt.Errorf("kernel: streams out of capsules: %w", errors.ErrUnsupported)
	}
	return from.Listen(capsuleID)
}
