package forward

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/request"
	"inos/internal/trace"
	"inos/internal/wire"
)

const (
	spansPerSecond = 500 // from one node, on average
	spansBurst     = 2000
	nodesLimited   = 1024 // whose rate is remembered
)

// ErrRate says that a node sends too many spans.
var ErrRate = fault.Internal("forward: too many spans; send fewer, or later")

// Receiver takes the spans that other nodes forward. Safe for concurrent use.
type Receiver struct {
	export func(trace.Span)

	mu     sync.Mutex
	limits map[identity.PeerID]*rate.Limiter
}

// NewReceiver returns a Receiver that passes each span to export, which must not block.
func NewReceiver(export func(trace.Span)) *Receiver {
	return &Receiver{export: export, limits: make(map[identity.PeerID]*rate.Limiter)}
}

// Take answers /inos/trace/1. It attributes the spans to the sender, whatever they say. Errors
// are those of wire.DecodeSpans, or ErrRate.
func (r *Receiver) Take(ctx context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	spans, err := wire.DecodeSpans(body)
	if err != nil {
		return nil, err
	}
	if !r.allow(from, len(spans)) {
		return nil, ErrRate
	}
	ahead := request.ClockAhead(ctx)
	for _, s := range spans {
		s.Start = s.Start.Add(-ahead)
		for _, clean := range trace.Foreign([]trace.Span{s}, from, s.Trace, s.JobID[:min(len(s.JobID), trace.MaxName)]) {
			r.export(clean)
		}
	}
	return nil, nil
}

// allow limits the spans of each node.
func (r *Receiver) allow(from identity.PeerID, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.limits[from]
	if l == nil {
		if len(r.limits) >= nodesLimited {
			clear(r.limits)
		}
		l = rate.NewLimiter(spansPerSecond, spansBurst)
		r.limits[from] = l
	}
	return l.AllowN(time.Now(), n)
}
