package mesh

import (
	"context"
	"errors"
	"fmt"

	"inos/internal/fault"
)

// ErrCancelled says that the caller's own context was cancelled. Final.
var ErrCancelled = fault.Final("cancelled", "mesh: cancelled by the caller")

// ContextError turns the end of ctx into this package's terms: ErrTimeout for a
// deadline, ErrCancelled otherwise; the context's own error still matches. It
// returns nil while ctx lasts.
func ContextError(ctx context.Context) error {
	err := ctx.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		return fmt.Errorf("%w: %w", ErrCancelled, err)
	}
}
