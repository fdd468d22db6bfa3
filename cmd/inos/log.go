package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"inos/internal/kernel"
	"inos/internal/mesh/p2p"
)

// logger writes to diag with the level and the format of the flags.
func (f *nodeFlags) logger(diag io.Writer) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	options := &slog.HandlerOptions{Level: levels[f.LogLevel]} // none is info
	if f.Verbose {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(diag, options)
	if f.Log == "json" {
		handler = slog.NewJSONHandler(diag, options)
	}
	return slog.New(handler).With("node", string(f.Name))
}

// takeLogs directs the libraries' logs to diag as well: libp2p's with --log-level debug only, the
// others' through the standard library's log.
func (f *nodeFlags) takeLogs(diag io.Writer) {
	if diag != io.Writer(os.Stderr) {
		return // this is the whole process's setting, not one of a single command's reader
	}
	l := f.logger(diag)
	slog.SetDefault(l)
	if l.Enabled(context.Background(), slog.LevelDebug) {
		p2p.Log(l.Handler())
	} else {
		p2p.Log(nil)
	}
}

// loggedError has been written to the log already.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// failed writes err as JSON where the log is JSON: another line would break its readers.
func (f *nodeFlags) failed(diag io.Writer, err error) error {
	if err == nil || f.Log != "json" {
		return err
	}
	f.logger(diag).Error("ended", "error", err)
	return loggedError{err}
}

// log writes the kernel's events until ctx ends.
func (n *native) log(ctx context.Context) {
	events, cancel := n.Kernel.Subscribe(1024)
	defer cancel()
	for {
		select {
		case e := <-events:
			logEvent(ctx, n.logger, e)
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
	case kernel.ClockOffset:
		level := slog.LevelInfo
		if e.Clocks.Wrong() {
			level = slog.LevelWarn
		}
		logger.Log(ctx, level, e.Name(), "ahead", e.Clocks.Ahead, "peers", e.Clocks.Peers, "apart", e.Clocks.Apart, "message", e.Clocks.String())
	case kernel.BooksChanged:
		if e.Err == nil {
			logger.InfoContext(ctx, e.Name(), "message", "the books can be written again: jobs of others are taken")
		} else {
			logger.ErrorContext(ctx, e.Name(), "error", e.Err, "message", "the books cannot be written: no jobs of others are taken until there is room")
		}
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
