package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// feedFrame is how much of a stream goes to a capsule in one frame; a command
// ring takes frames of half its size.
const feedFrame = 16 << 10

// feeder is the part of Capsules that takes streams. *supervisor.Supervisor has it.
type feeder interface {
	Send(ctx context.Context, capsuleID string, p []byte) error
}

// Feed reads r to its end and passes it to a capsule of this node as a stream of
// frames. It reads no faster than the capsule takes: a full ring holds it back, and
// while the capsule is congested the adjuster's valve does, so that whoever writes
// to r is held back in turn. It returns the bytes that reached the capsule; nothing
// is dropped. Errors are the capsule's end, r's, ctx's, or match
// errors.ErrUnsupported.
func (k *Kernel) Feed(ctx context.Context, capsuleID string, r io.Reader) (sent int64, err error) {
	to, ok := k.cfg.Capsules.(feeder)
	if !ok {
		return 0, fmt.Errorf("kernel: streams into capsules: %w", errors.ErrUnsupported)
	}
	valve := k.Valve(capsuleID)
	buf := make([]byte, feedFrame)
	for ctx.Err() == nil {
		n, readErr := r.Read(buf)
		if n > 0 {
			if err := valve.Wait(ctx, n); err != nil {
				return sent, err
			}
			// The frame is the capsule's until it is in the ring, which is when Send
			// returns, unless ctx ended first: then buf is not written again.
			if err := to.Send(ctx, capsuleID, buf[:n]); err != nil {
				return sent, err
			}
			sent += int64(n)
		}
		if errors.Is(readErr, io.EOF) {
			return sent, nil
		}
		if readErr != nil {
			return sent, readErr
		}
	}
	return sent, ctx.Err()
}
