//go:build !js

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/test/browser/mesh/flow"
)

// HandleFeed reads a stream and reports its SHA-256, at once, or for "held" after a job has said
// "release".
func (w *worker) HandleFeed(ctx context.Context, _ identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
	if call.Capsule == "held" {
		select {
		case <-w.released:
		case <-ctx.Done():
			return mesh.FeedEnd{Code: capsule.Refused, Reason: "cancelled"}
		}
	}
	if call.Capsule == "refused" {
		_, _ = io.CopyN(io.Discard, r, 1<<20)
		return mesh.FeedEnd{Code: capsule.Crashed, Reason: "capsule_killed", Message: "killed: on demand"}
	}
	sum, total, err := flow.Swallow(r, onTaken)
	if err != nil {
		return mesh.FeedEnd{Code: capsule.Refused, Reason: "failed", Message: err.Error(), Taken: total}
	}
	return mesh.FeedEnd{Message: fmt.Sprintf("%x", sum), Taken: total}
}

// feedBack streams to the caller, over the connection of the call: as many bytes as input says. It
// answers "taken sum ahead".
func (w *worker) feedBack(ctx context.Context, to identity.PeerID, id string, input []byte) ([]byte, error) {
	size, err := strconv.Atoi(string(input))
	if err != nil {
		return nil, err
	}
	s := flow.New(size)
	w.feeding.Store(s)
	defer w.feeding.Store(nil)
	end, err := w.m.Feed(ctx, to, mesh.FeedCall{Capsule: id, Envelope: governance.Envelope{ID: "back", Type: mesh.FeedType}}, s, s.Took)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%d %x %d %s", end.Taken, s.Sum(), s.Ahead(), end.Reason), nil
}
