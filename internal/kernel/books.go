package kernel

import (
	"context"
	"time"
)

// unwritable is the reason for being busy that a node gives when it cannot write its books.
const unwritable = "this node cannot write its books now"

// BooksChanged: this node cannot write its books because of Err and takes no jobs of other nodes. A
// nil Err says that it can again and does.
type BooksChanged struct {
	At
	Err error
}

// Name implements Event.
func (BooksChanged) Name() string { return "books:changed" }

// SetBooks says that this node's books cannot be written, or, with nil, that they can be again.
// While they cannot, the node takes no work that others could be asked to pay for: its profile says
// that it has no free slots, and new jobs are answered JobBusy. It waits for the kernel's loop.
// Errors are ctx's and ErrStopped.
func (k *Kernel) SetBooks(ctx context.Context, failed error) error {
	return k.loop.ask(ctx, func(s *state) {
		if (failed == nil) == (s.unwritable == nil) {
			return
		}
		s.unwritable = failed
		s.nodes.UpdateOwn(time.Now())
		k.emit(BooksChanged{at(), failed})
	})
}
