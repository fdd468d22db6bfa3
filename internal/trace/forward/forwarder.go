package forward

import (
	"context"
	"time"

	"inos/internal/background"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/request"
	"inos/internal/trace"
	"inos/internal/wire"
)

const (
	sendEvery = 2 * time.Second
	sendLimit = 10 * time.Second // of one Send

	queueSpans   = 1024
	requestSpans = 256 // in one request
	nodesAsked   = 4   // asked to take one request
)

// Requests sends requests to other nodes. *request.Exchange implements it.
type Requests interface {
	Peers() []mesh.Peer
	Send(ctx context.Context, p identity.PeerID, name string, body []byte) (answer []byte, err error)
}

// Forwarder sends a node's own spans to a native node. Its queue is bounded: spans that come
// while it is full are dropped.
type Forwarder struct {
	self     identity.PeerID
	requests Requests
	queue    chan trace.Span
	receiver identity.PeerID // node that took the last spans; empty: none
}

// NewForwarder returns the Forwarder of the node self. It starts nothing.
func NewForwarder(self identity.PeerID, requests Requests) *Forwarder {
	return &Forwarder{self: self, requests: requests, queue: make(chan trace.Span, queueSpans)}
}

// Add queues a span of this node's own job and ignores others: the sender of another job gets
// its spans, and no other node should. It never blocks.
func (f *Forwarder) Add(s trace.Span) {
	if s.Node != f.self || s.Served {
		return
	}
	select {
	case f.queue <- s:
	default: // full: no node has taken spans for a long time
	}
}

// Run sends queued spans every two seconds, and blocks until ctx ends.
func (f *Forwarder) Run(ctx context.Context) { background.Every(ctx, sendEvery, sendLimit, f.Send) }

// Send sends the queued spans to a native node that takes them, and asks the last one that did
// first. Spans that no node takes are dropped. Not safe for concurrent use.
func (f *Forwarder) Send(ctx context.Context) {
	for len(f.queue) > 0 {
		var batch []trace.Span
		for len(f.queue) > 0 && len(batch) < requestSpans {
			batch = append(batch, <-f.queue)
		}
		body, err := wire.EncodeSpans(batch)
		if err != nil || len(body) > request.MaxBody {
			continue
		}
		if f.receiver = f.sendBatch(ctx, body); f.receiver == "" {
			return
		}
	}
}

// sendBatch sends body and returns the node that took it, empty when none did.
func (f *Forwarder) sendBatch(ctx context.Context, body []byte) identity.PeerID {
	asked := 0
	takes := func(p identity.PeerID) bool {
		asked++
		_, err := f.requests.Send(ctx, p, mesh.RequestTrace, body)
		return err == nil
	}
	if f.receiver != "" && takes(f.receiver) {
		return f.receiver
	}
	for _, p := range f.requests.Peers() {
		if id := p.Profile.Peer; p.Connected && p.Profile.Kind == "native" && id != f.receiver && asked < nodesAsked && takes(id) {
			return id
		}
	}
	return ""
}
