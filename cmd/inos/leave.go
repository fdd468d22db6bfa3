package main

import (
	"context"
	"time"

	"inos/internal/monitor"
)

const (
	// settleTime is how long callers have to receive the ends of their jobs.
	settleTime = 10 * time.Second
	// goodbyeTime is how long the last profile has to be sent and to spread by gossip, which gives
	// no sign of that.
	goodbyeTime = 300 * time.Millisecond
)

// untilTold runs the node until ctx ends or the node does. Then it takes no new work, waits up to
// limit for the jobs that run, hands the rest back to their callers, withdraws its profile and
// closes everything.
func (n *native) untilTold(ctx context.Context, limit time.Duration) error {
	select {
	case <-ctx.Done():
		n.leave(context.WithoutCancel(ctx), limit)
		n.stop()
	case <-n.ended:
	}
	return n.wait()
}

// leave drains the node and withdraws its profile. It logs errors: the node ends in any case.
func (n *native) leave(ctx context.Context, limit time.Duration) {
	began := time.Now()
	n.logger.Info("draining: no new jobs", "limit", limit)
	if err := monitor.Stopping(); err != nil {
		n.logger.Warn("systemd does not hear", "error", err)
	}
	drain, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, err := n.Kernel.Drain(drain)
	if err != nil {
		n.logger.Warn("not drained", "error", err)
	}
	settle, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := n.mesh.Settle(settle); err != nil {
		n.logger.Warn("some callers have not taken their results", "error", err)
	}
	goodbye, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	if err := n.Kernel.Leave(goodbye); err != nil {
		n.logger.Warn("profile not withdrawn", "error", err)
	} else if len(n.mesh.Peers()) > 0 {
		<-goodbye.Done()
	}
	st, err := n.Kernel.Status(ctx)
	if err != nil {
		n.logger.Warn("node ended before it was told to", "error", err)
	}
	n.logger.Info("left the mesh", "finished", d.Finished, "handedBack", d.HandedBack, "own", d.Own,
		"done", st.Done, "failed", st.Failed, "rejected", st.Rejected,
		"drained", time.Since(began).Round(time.Millisecond), "up", n.Kernel.Uptime().Round(time.Second))
}
