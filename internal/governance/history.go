package governance

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// history keeps the last decisions in rings that are allocated once. Rejections before parsing
// have a ring of their own: they cost the sender nothing, and would push out all other
// decisions.
type history struct {
	mu      sync.Mutex
	serial  uint64
	decided ring
	refused ring
}

type ring struct {
	slots []remembered
	next  int
	count int
}

// remembered is a decision and the inputs that a dry run needs. The ring is written on every
// admission, so it holds no more than that.
type remembered struct {
	serial  uint64
	id      uuid.UUID // of the job; zero when it had no valid id
	version uint64
	at      int64      // Unix nanoseconds
	rej     *Rejection // nil: admitted
	early   bool       // rejected before parsing: the other fields are empty

	priority     uint8
	present      uint8 // bit 1<<Field: the field was not empty
	ledger       identity.LedgerID
	from         identity.PeerID
	capsule, geo string
	capabilities []string
	budget       uint64        // as requested
	skew         time.Duration // of the envelope's timestamp from at
	deadline     time.Duration // from at; 0: none was asked for

	capsuleOf *published // the capsule that was to run; nil until it is known
}

// published is what the policy's rules about capsules check.
type published struct {
	manifest  capsule.Manifest
	publisher identity.PeerID
}

// job returns the fields that checkPolicy checks.
func (s *remembered) job() Job {
	j := Job{Capsule: s.capsule, Priority: s.priority, Budget: s.budget,
		Requirements: Requirements{Capabilities: s.capabilities, GeoPrefix: s.geo}}
	if s.deadline != 0 {
		j.Deadline = instant(s.at).Add(s.deadline)
	}
	return j
}

func (h *history) init(n int) {
	h.decided.slots, h.refused.slots = make([]remembered, n), make([]remembered, n)
}

// slot returns the place of r's next decision. The caller holds mu.
func (h *history) slot(r *ring) *remembered {
	s := &r.slots[r.next]
	if r.next++; r.next == len(r.slots) {
		r.next = 0
	}
	if r.count < len(r.slots) {
		r.count++
	}
	h.serial++
	return s
}

// back returns the i-th newest entry of a ring, nil past its oldest.
func (r *ring) back(i int) *remembered {
	if i >= r.count {
		return nil
	}
	at := r.next - 1 - i
	if at < 0 {
		at += len(r.slots)
	}
	return &r.slots[at]
}

// refusedEarly remembers only the id, since the rest of the envelope has not been bounded yet.
func (h *history) refusedEarly(req *Request, rej *Rejection, now time.Time) {
	id, ok := uuidv7(req.Job.ID)
	if !ok {
		id, _ = uuidv7(req.Envelope.ID)
	}
	h.mu.Lock()
	s := h.slot(&h.refused)
	s.early, s.serial = true, h.serial
	s.id, s.version, s.at, s.rej, s.from = id, rej.PolicyVersion, now.UnixNano(), rej, req.From
	h.mu.Unlock()
}

// add remembers a decision. Of a request that failed the DNA check it remembers only the id,
// since the fields may be of any size.
func (h *history) add(id uuid.UUID, req *Request, rej *Rejection, version uint64, now time.Time) {
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
	s := h.slot(&h.decided)
	*s = remembered{serial: h.serial, id: id, version: version, at: now.UnixNano(), rej: rej, priority: job.Priority, present: present,
		ledger: identity.LedgerID(m.CreditLedgerID), from: req.From, capsule: job.Capsule, geo: job.Requirements.GeoPrefix,
		capabilities: job.Requirements.Capabilities, budget: job.Budget, skew: req.Envelope.Timestamp.Sub(now), deadline: deadline}
	h.mu.Unlock()
}

func (s *remembered) decision() Decision {
	d := Decision{Rule: RuleAdmitted, PolicyVersion: s.version, At: instant(s.at), Ledger: s.ledger, From: s.from}
	if s.id != uuid.Nil {
		d.JobID = s.id.String()
	}
	if s.rej != nil {
		d.Rule, d.Code, d.Detail = s.rej.Rule, s.rej.Code, s.rej.Error()
	}
	return d
}

// newest visits the decisions, newest first, until fn says false.
func (h *history) newest(fn func(*remembered) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visit(fn)
}

// visit is newest for a caller that holds mu.
func (h *history) visit(fn func(*remembered) bool) {
	for i, j := 0, 0; ; {
		a, b := h.decided.back(i), h.refused.back(j)
		switch {
		case a == nil && b == nil:
			return
		case b == nil || a != nil && a.serial > b.serial:
			i++
		default:
			a = b
			j++
		}
		if !fn(a) {
			return
		}
	}
}

// starting records which capsule an admitted job was to run, and the rejection if there was one.
func (h *history) starting(a *admission, p published, rej *Rejection) {
	id, _ := uuidv7(a.job.ID) // an admitted job has one
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visit(func(s *remembered) bool {
		if s.id != id || s.from != a.from || s.early || s.rej != nil {
			return true
		}
		p.manifest.Chunks = nil
		s.capsuleOf, s.rej = &p, rej
		if rej != nil {
			s.version = rej.PolicyVersion
		}
		return false
	})
}

// Why returns the newest decision about a job, false when none is remembered. When another
// node's job has the id of this node's own job, it returns the decision about the own one.
func (g *Gate) Why(jobID string) (Decision, bool) {
	id, ok := uuidv7(jobID)
	if !ok {
		return Decision{}, false
	}
	var d Decision
	found := false
	g.history.newest(func(s *remembered) bool {
		if s.id == id && (!found || s.from == "") {
			d, found = s.decision(), true
		}
		return !found || d.From != ""
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
