package trace

import (
	"time"

	"inos/internal/identity"
)

// Span is one finished piece of work.
type Span struct {
	Trace    TraceID
	ID       SpanID
	Parent   SpanID // zero: a root
	Name     string
	Node     identity.PeerID
	JobID    string
	Start    time.Time // by Node's own clock
	Duration time.Duration
	Code     string // empty after success
	// Served says that the span belongs to another node's job and is returned to that node. This
	// node must not give it to anybody else. Not sent on the wire.
	Served bool
}

// Limits on another node's spans: texts in bytes, and spans returned with one job.
const (
	MaxName     = 64
	MaxReturned = 64
)

// Open is a span under way, and a value. Its starter calls End at most once, which makes it a
// Span.
type Open struct {
	at    Context
	up    SpanID
	name  string
	job   string
	start time.Time
}

// Start begins a span below parent.
func Start(parent Context, name, jobID string, now time.Time) Open {
	return Open{at: parent.Child(), up: parent.Span, name: name, job: jobID, start: now}
}

// Context returns the span's own context: the parent of work done within it.
func (o Open) Context() Context { return o.at }

// End returns the finished span, done by node.
func (o Open) End(node identity.PeerID, code string, now time.Time) Span {
	return Span{Trace: o.at.Trace, ID: o.at.Span, Parent: o.up, Name: o.name, Node: node, JobID: o.job,
		Start: o.start, Duration: max(now.Sub(o.start), 0), Code: code}
}

// Foreign sanitizes the spans that node returned with a job of trace of. It drops spans of other
// traces, sets the node to the one that answered, and bounds the texts and their number.
func Foreign(spans []Span, node identity.PeerID, of TraceID, jobID string) []Span {
	var out []Span
	for _, s := range spans {
		if len(out) == MaxReturned {
			break
		}
		if s.Trace != of || s.ID.IsZero() || s.Duration < 0 {
			continue
		}
		s.Node, s.JobID = node, jobID
		s.Name, s.Code = clip(s.Name), clip(s.Code)
		out = append(out, s)
	}
	return out
}

func clip(s string) string { return s[:min(len(s), MaxName)] }
