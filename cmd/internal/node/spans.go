package node

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/trace"
	"inos/internal/wire"
)

const (
	shipAtMost = 256 // spans in one message
	shipQueue  = 1024
	shipAsk    = 4 // nodes asked to take a message

	takeRate  = 500 // spans a second from one node, on average
	takeBurst = 2000
	takeNodes = 1024 // nodes whose rate is remembered
)

var errTooMany = fault.Internal("node: too many spans")

// hearSpans passes this node's own spans on: to Export, or, in a browser, which
// cannot export, into the queue of those to be shipped.
func (n *Node) hearSpans() {
	self := n.Kernel.Self()
	switch {
	case n.export != nil:
		n.Kernel.Spans().Listen(func(s trace.Span) {
			if s.Node == self { // the other nodes export theirs
				n.export(s)
			}
		})
	case n.kind == "browser":
		n.shipping = make(chan trace.Span, shipQueue)
		n.Kernel.Spans().Listen(func(s trace.Span) {
			if s.Node != self || s.Served { // whoever sent that job has them, and nobody else should
				return
			}
			select {
			case n.shipping <- s:
			default: // nobody took them for long
			}
		})
	}
}

// ship sends what is queued to a native node that takes it, to best (the last one
// that did) first, and returns who did. What nobody takes is dropped.
func (n *Node) ship(ctx context.Context, to mesh.Requester, peers []mesh.Peer, best identity.PeerID) identity.PeerID {
	for len(n.shipping) > 0 {
		var batch []trace.Span
		for len(n.shipping) > 0 && len(batch) < shipAtMost {
			batch = append(batch, <-n.shipping)
		}
		body, err := wire.EncodeSpans(batch)
		if err != nil || len(body) > mesh.MaxRequestBody-envelopeRoom {
			continue
		}
		if best = n.shipTo(ctx, to, peers, best, body); best == "" {
			return ""
		}
	}
	return best
}

func (n *Node) shipTo(ctx context.Context, to mesh.Requester, peers []mesh.Peer, best identity.PeerID, body []byte) identity.PeerID {
	asked := 0
	try := func(p identity.PeerID) bool {
		asked++
		_, err := n.tell(ctx, to, p, mesh.NoteTrace, body)
		return err == nil
	}
	if best != "" && try(best) {
		return best
	}
	for _, p := range peers {
		if id := p.Profile.Peer; p.Connected && p.Profile.Kind == "native" && id != best && asked < shipAsk && try(id) {
			return id
		}
	}
	return ""
}

// takings bounds what each node may ship here.
type takings struct {
	mu sync.Mutex
	of map[identity.PeerID]*rate.Limiter
}

func (t *takings) allow(from identity.PeerID, n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.of[from]
	if l == nil {
		if t.of == nil || len(t.of) >= takeNodes {
			t.of = make(map[identity.PeerID]*rate.Limiter)
		}
		l = rate.NewLimiter(takeRate, takeBurst)
		t.of[from] = l
	}
	return l.AllowN(time.Now(), n)
}

// takeSpans answers /inos/trace/1: the spans are the sender's own, whatever they
// say.
func (n *Node) takeSpans(ctx context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	spans, err := wire.DecodeSpans(body)
	if err != nil {
		return nil, err
	}
	if !n.takings.allow(from, len(spans)) {
		return nil, errTooMany
	}
	ahead, _ := ctx.Value(aheadKey{}).(time.Duration)
	for _, s := range spans {
		s.Start = s.Start.Add(-ahead)
		for _, clean := range trace.Foreign([]trace.Span{s}, from, s.Trace, s.JobID[:min(len(s.JobID), trace.MaxName)]) {
			n.export(clean)
		}
	}
	return nil, nil
}
