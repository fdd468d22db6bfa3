package trace

import (
	"cmp"
	"sync"

	"inos/internal/order"
)

// DefaultKeep is the default number of spans that a Recorder keeps.
const DefaultKeep = 4096

// Recorder keeps the newest spans in a ring, and passes them to one listener. Safe for
// concurrent use; nothing blocks. A nil Recorder records nothing.
type Recorder struct {
	mu    sync.Mutex
	ring  []Span
	next  int
	limit int
	hear  func(Span)
}

// NewRecorder returns a Recorder of the newest keep spans; DefaultKeep when keep is not
// positive.
func NewRecorder(keep int) *Recorder {
	if keep <= 0 {
		keep = DefaultKeep
	}
	return &Recorder{limit: keep}
}

// Listen sets the function that is called with every span added from now on. It must not block
// and must not call the Recorder. nil ends it.
func (r *Recorder) Listen(hear func(Span)) {
	r.mu.Lock()
	r.hear = hear
	r.mu.Unlock()
}

// Add records spans.
func (r *Recorder) Add(spans ...Span) {
	if r == nil || len(spans) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range spans {
		if len(r.ring) < r.limit {
			r.ring = append(r.ring, s)
		} else {
			r.ring[r.next] = s
			r.next = (r.next + 1) % r.limit
		}
		if r.hear != nil {
			r.hear(s)
		}
	}
}

// Trace returns the kept spans of one trace, in order of start.
func (r *Recorder) Trace(id TraceID) []Span {
	return r.all(func(s *Span) bool { return s.Trace == id })
}

// Job returns the kept spans of the traces that a job was part of, in order of start.
func (r *Recorder) Job(jobID string) []Span {
	if r == nil {
		return nil
	}
	of := make(map[TraceID]bool)
	r.mu.Lock()
	for i := range r.ring {
		if r.ring[i].JobID == jobID {
			of[r.ring[i].Trace] = true
		}
	}
	r.mu.Unlock()
	if len(of) == 0 {
		return nil
	}
	return r.all(func(s *Span) bool { return of[s.Trace] })
}

func (r *Recorder) all(keep func(*Span) bool) []Span {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	var out []Span
	for i := range r.ring {
		if s := &r.ring[(r.next+i)%len(r.ring)]; keep(s) {
			out = append(out, *s)
		}
	}
	r.mu.Unlock()
	order.By(out, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.Duration, a.Duration)) // enclosing spans first
	})
	return out
}
