package governance

import (
	"sync"
	"time"

	"inos/internal/identity"
)

// history keeps the last decisions in a ring that is allocated once.
type history struct {
	mu    sync.Mutex
	ring  []remembered
	next  int
	count int
}

// remembered is a decision and what a changed policy would have to look at: the
// ring is written on every admission, so no more than that.
type remembered struct {
	id      uuid // of the job; zero when it had no valid id
	version uint64
	at      int64      // Unix nanoseconds
	rej     *Rejection // nil: admitted
	early   bool       // refused before anything was read: the rest is empty

	priority     uint8
	present      uint8 // bit 1<<Field: the field was not empty
	ledger       identity.LedgerID
	from         identity.PeerID
	capsule, geo string
	capabilities []string
	budget       uint64        // as it came
	skew         time.Duration // of the envelope's timestamp from at
	deadline     time.Duration // from at; 0: none was asked for
}

// job is what checkPolicy looks at.
func (s *remembered) job() Job {
	j := Job{Capsule: s.capsule, Priority: s.priority, Budget: s.budget,
		Requirements: Requirements{Capabilities: s.capabilities, GeoPrefix: s.geo}}
	if s.deadline != 0 {
		j.Deadline = instant(s.at).Add(s.deadline)
	}
	return j
}

func (h *history) init(n int) { h.ring = make([]remembered, n) }

func (h *history) slot() *remembered {
	s := &h.ring[h.next]
	if h.next++; h.next == len(h.ring) {
		h.next = 0
	}
	if h.count < len(h.ring) {
		h.count++
	}
	return s
}

// refusedEarly remembers only the id: the rest of the envelope has not been
// bounded yet.
func (h *history) refusedEarly(req *Request, rej *Rejection, now time.Time) {
	id, ok := uuidv7(req.Job.ID)
	if !ok {
		id, _ = uuidv7(req.Envelope.ID)
	}
	h.mu.Lock()
	s := h.slot()
	if !s.early {
		*s = remembered{early: true}
	}
	s.id, s.version, s.at, s.rej, s.from = id, rej.PolicyVersion, now.UnixNano(), rej, ""
	h.mu.Unlock()
}

// add remembers a decision. A request that failed the DNA check is remembered by
// id alone, since its fields may be of any size.
func (h *history) add(id uuid, req *Request, rej *Rejection, version uint64, now time.Time) {
	if rej != nil && rej.dna() {
		h.refusedEarly(req, rej, now)
		return
	}
	job, m := &req.Job, &req.Envelope.Metadata
	var present uint8
	for f := range fieldEnd {
		if f.of(&req.Envelope) != "" {
			present |= 1 << f
		}
	}
	var deadline time.Duration
	if !job.Deadline.IsZero() {
		deadline = job.Deadline.Sub(now)
	}
	h.mu.Lock()
	*h.slot() = remembered{id: id, version: version, at: now.UnixNano(), rej: rej, priority: job.Priority, present: present,
		ledger: identity.LedgerID(m.CreditLedgerID), from: req.From, capsule: job.Capsule, geo: job.Requirements.GeoPrefix,
		capabilities: job.Requirements.Capabilities, budget: job.Budget, skew: req.Envelope.Timestamp.Sub(now), deadline: deadline}
	h.mu.Unlock()
}

func (s *remembered) decision() Decision {
	d := Decision{JobID: formatUUID(s.id), Rule: RuleAdmitted, PolicyVersion: s.version, At: instant(s.at),
		Ledger: s.ledger, From: s.from}
	if s.rej != nil {
		d.Rule, d.Code, d.Detail = s.rej.Rule, s.rej.Code, s.rej.Error()
	}
	return d
}

// newest visits the decisions, newest first, until fn says false.
func (h *history) newest(fn func(*remembered) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.count {
		at := h.next - 1 - i
		if at < 0 {
			at += len(h.ring)
		}
		if !fn(&h.ring[at]) {
			return
		}
	}
}

// Why returns the newest decision about a job, false when none is remembered.
func (g *Gate) Why(jobID string) (Decision, bool) {
	id, ok := uuidv7(jobID)
	if !ok {
		return Decision{}, false
	}
	var d Decision
	found := false
	g.history.newest(func(s *remembered) bool {
		if s.id == id {
			d, found = s.decision(), true
		}
		return !found
	})
	return d, found
}

// Decisions returns up to n decisions, newest first.
func (g *Gate) Decisions(n int) []Decision {
	var out []Decision
	g.history.newest(func(s *remembered) bool {
		if len(out) >= n {
			return false
		}
		out = append(out, s.decision())
		return true
	})
	return out
}

func formatUUID(id uuid) string {
	if id == (uuid{}) {
		return ""
	}
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}
