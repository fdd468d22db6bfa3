package capsule

import (
	"context"
	"fmt"
	"time"

	"inos/internal/fault"
)

// ErrArgs: the capsule takes no arguments, or not so many. Advice: spawn it with fewer.
var ErrArgs = fault.Final("capsule_args", "capsule: arguments not taken")

// begin sends the capsule its arguments and waits until it has them, before any job. A capsule
// spawned without arguments is not asked; a restored one keeps those of its image.
func (c *Capsule) begin(ctx context.Context) error {
	if len(c.cfg.Args) == 0 {
		return nil
	}
	now := time.Now()
	cmd := Command{ID: "args", Type: Spawn, Target: c.cfg.ID, Timestamp: now, Deadline: now.Add(c.cfg.ReadyTimeout),
		Spawn: &SpawnParams{Args: c.cfg.Args}}
	switch r, err := c.ask(ctx, cmd, now); {
	case err != nil:
		return err
	case r.Code != OK:
		return fmt.Errorf("%w: %s: %s", ErrArgs, r.Code, r.Message)
	}
	return nil
}
