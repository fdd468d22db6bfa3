package main

import (
	"context"
	"io"
	"log/slog"

	"inos/internal/kernel"
)

// log writes the kernel's events to diag: warnings always, the rest with -v.
func (n *native) log(ctx context.Context, f nodeFlags, diag io.Writer) {
	level := slog.LevelInfo
	if f.quiet {
		level = slog.LevelError // the command says what became of its job itself
	}
	if f.Verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(diag, &slog.HandlerOptions{Level: level})).With("node", string(f.Name))
	events, cancel := n.Kernel.Subscribe(1024)
	defer cancel()
	for {
		select {
		case e := <-events:
			logEvent(ctx, logger, e)
		case <-ctx.Done():
			return
		}
	}
}

func logEvent(ctx context.Context, logger *slog.Logger, e kernel.Event) {
	switch e := e.(type) {
	case kernel.JobAdmitted:
		logger.InfoContext(ctx, e.Name(), "job", e.JobID, "from", e.From, "ledger", e.Decision.Ledger)
	case kernel.JobRejected:
		logger.WarnContext(ctx, e.Name(), "job", e.JobID, "from", e.From, "code", e.Reason, "error", e.Err)
	case kernel.JobEnded:
		level := slog.LevelInfo
		if e.Err != nil {
			level = slog.LevelWarn
		}
		logger.Log(ctx, level, e.Name(), "job", e.JobID, "from", e.From, "run", e.Outcome.Run, "cost", e.Outcome.Cost,
			"fetched", e.Outcome.FetchedBytes, "error", e.Err)
	case kernel.CapsuleCredit:
		logger.WarnContext(ctx, e.Name(), "capsule", e.CapsuleID, "ledger", e.Ledger, "action", e.Action, "reason", e.Reason, "error", e.Err)
	case kernel.ServiceFailed:
		logger.ErrorContext(ctx, e.Name(), "service", e.Service, "error", e.Message)
	case kernel.NodeHeard:
		logger.DebugContext(ctx, e.Name(), "peer", e.Profile.Peer, "name", e.Profile.Name, "new", e.New, "expires", e.Profile.Expires)
	case kernel.NodeGone:
		logger.DebugContext(ctx, e.Name(), "peer", e.Node)
	case kernel.PeerConnected:
		logger.DebugContext(ctx, e.Name(), "peer", e.Peer)
	case kernel.PeerDisconnected:
		logger.DebugContext(ctx, e.Name(), "peer", e.Peer)
	default:
		logger.DebugContext(ctx, e.Name())
	}
}
