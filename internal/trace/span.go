package trace

import (
	"time"

	"inos/internal/identity"
)

// Span is one piece of work, over.
type Span struct {
	Trace    TraceID
	ID       SpanID
	Parent   SpanID // zero: a root
	Name     string
	Node     identity.PeerID
	JobID    string
	Start    time.Time // by Node's own clock
	Duration time.Duration
	Code     string // empty when it went well
	// Served says that it is of a job of another node, to which it goes back: it is not
	// this node's to hand to anybody else. It does not travel.
	Served bool
}

// Limits on what another node may say in one span, in bytes, and how many spans
// it may return with one job.
const (
	MaxName     = 64
	MaxReturned = 64
)

// Open is a span under way: End makes it a Span. It is a value; each is ended at
// most once, by whoever started it.
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

// Context is the span's own place: the parent of what is done within it.
func (o Open) Context() Context { return o.at }

// End is the span, done by node.
func (o Open) End(node identity.PeerID, code string, now time.Time) Span {
	return Span{Trace: o.at.Trace, ID: o.at.Span, Parent: o.up, Name: o.name, Node: node, JobID: o.job,
		Start: o.start, Duration: max(now.Sub(o.start), 0), Code: code}
}

// Foreign cleans what node returned with a job of trace: spans of other traces go,
// the node is the one that answered, texts and their number are bounded.
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
