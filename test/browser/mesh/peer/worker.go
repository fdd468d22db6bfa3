//go:build !js

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/test/browser/mesh/flow"
)

// worker does what a job's method says; its answers are texts.
type worker struct {
	m  *p2p.Mesh
	mu sync.Mutex
	// heard are the profiles that arrived; hung counts the "hang" jobs that ended.
	heard map[identity.PeerID]mesh.Profile
	hung  chan error
	// released allows "held" feeds to be read; feeding is the one to the browser.
	released chan struct{}
	feeding  atomic.Pointer[flow.Source]
}

func (w *worker) start(m *p2p.Mesh) {
	w.m, w.heard, w.hung = m, map[identity.PeerID]mesh.Profile{}, make(chan error, 64)
	w.released = make(chan struct{})
	go func() { // ends with the mesh
		for e := range m.Events() {
			if h, ok := e.(mesh.ProfileHeard); ok {
				w.mu.Lock()
				w.heard[h.Profile.Peer] = h.Profile
				w.mu.Unlock()
			}
		}
	}()
}

func (w *worker) publish(p mesh.Profile) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p.Expires = time.Now().Add(10 * time.Minute)
	return w.m.Publish(ctx, p)
}

func (w *worker) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	out := mesh.JobOutcome{JobID: call.Job.ID}
	text, err := w.do(ctx, from, call, fetch, onProgress)
	out.Output = text
	if err != nil {
		out.Code, out.Message = mesh.JobFailed, err.Error()
	}
	return out
}

func (w *worker) do(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) ([]byte, error) {
	input, err := call.ReadInput(ctx)
	if err != nil {
		return nil, err
	}
	switch call.Job.Method {
	case "upper":
		onProgress(mesh.Progress{Done: 1, Total: 2})
		return bytes.ToUpper(input), nil
	case "hang":
		onProgress(mesh.Progress{Done: 1})
		<-ctx.Done()
		w.hung <- context.Cause(ctx)
		return nil, ctx.Err()
	case "hung": // how the last hang ended
		select {
		case err := <-w.hung:
			return []byte(err.Error()), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "callback": // a job the other way, over the same connection
		out, err := w.m.RunJob(ctx, from, mesh.JobCall{
			Envelope: governance.Envelope{ID: "back", Type: "job:run:v1"},
			Job:      governance.Job{ID: "back", Method: "reverse"}, Input: input,
		}, nil)
		return out.Output, err
	case "command":
		reply, err := w.m.Command(ctx, from, mesh.CommandCall{Command: capsule.Command{ID: "c", Type: capsule.Pause, Target: "there", Timestamp: time.Now()}})
		return []byte(reply.CapsuleID), err
	case "fetch":
		cid, err := capsule.ParseCID(call.Job.Capsule)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		blob, err := fetch(ctx, mesh.FetchCall{CID: cid})
		if err != nil {
			return nil, err
		}
		return fmt.Appendf(nil, "%d bytes in %d us", len(blob.Wasm), time.Since(start).Microseconds()), nil
	case "heard":
		w.mu.Lock()
		p, ok := w.heard[from]
		w.mu.Unlock()
		if !ok {
			return nil, errors.New("not yet")
		}
		return []byte(strings.Join(p.Capabilities, ",") + " " + p.Kind), nil
	case "release":
		close(w.released)
		return nil, nil
	case "feed", "feed:held":
		return w.feedBack(ctx, from, strings.TrimPrefix(call.Job.Method, "feed:"), input)
	case "fed": // how much of the feed was sent
		if s := w.feeding.Load(); s != nil {
			return fmt.Append(nil, s.Bytes()), nil
		}
		return []byte("0"), nil
	case "find":
		ps, err := w.m.Find(ctx, string(input))
		var ids []string
		for _, p := range ps {
			ids = append(ids, string(p.Peer))
		}
		sort.Strings(ids)
		return []byte(strings.Join(ids, ",")), err
	case "publish":
		return nil, w.publish(mesh.Profile{Name: string(input), Capabilities: []string{"gpu"}})
	case "die":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil, fmt.Errorf("no method %q", call.Job.Method)
}

func (w *worker) HandleCommand(_ context.Context, _ identity.PeerID, call mesh.CommandCall) capsule.Reply {
	return capsule.Reply{Code: capsule.OK, CapsuleID: call.Command.Target, Timestamp: time.Now()}
}

func (w *worker) HandleFetch(context.Context, identity.PeerID, mesh.FetchCall) (mesh.Blob, bool) {
	return mesh.Blob{}, false
}
