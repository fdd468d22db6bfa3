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

// remembered is a decision and what a changed policy would have to look at. The
// payload and the wire bytes are not kept.
type remembered struct {
	id      [16]byte // of the job; zero when it had no valid id
	version uint64
	at      time.Time
	rej     *Rejection // nil: admitted
	early   bool       // refused before anything was read: facts are empty
	facts   Envelope   // without Payload and Wire
	job     Job        // as it came, without Args
	from    identity.PeerID
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
	s.id, s.version, s.at, s.rej, s.from = id, rej.PolicyVersion, now, rej, ""
	h.mu.Unlock()
}

// add remembers a decision. A request that failed the DNA check is remembered by
// id alone, since its fields may be of any size.
func (h *history) add(req *Request, rej *Rejection, version uint64, now time.Time) {
	if rej != nil && rej.dna() {
		h.refusedEarly(req, rej, now)
		return
	}
	id, _ := uuidv7(req.Job.ID)
	h.mu.Lock()
	s := h.slot()
	s.id, s.version, s.at, s.rej, s.early, s.from = id, version, now, rej, false, req.From
	s.facts, s.job = req.Envelope, req.Job
	s.facts.Payload, s.facts.Wire, s.job.Args = Payload{}, nil, nil
	if s.facts.Metadata.AuthToken != "" {
		s.facts.Metadata.AuthToken = "present" // a secret is not remembered
	}
	h.mu.Unlock()
}

func (s *remembered) decision() Decision {
	d := Decision{JobID: formatUUID(s.id), Rule: RuleAdmitted, PolicyVersion: s.version, At: s.at,
		Ledger: identity.LedgerID(s.facts.Metadata.CreditLedgerID), From: s.from}
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

func formatUUID(id [16]byte) string {
	if id == ([16]byte{}) {
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
