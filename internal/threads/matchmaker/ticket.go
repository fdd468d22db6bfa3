package matchmaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
)

// ticket is a job from Submit to its end.
type ticket struct {
	job     Job
	id      string
	ctx     context.Context // ends with the caller, or at the deadline if there is one
	arrived time.Time
	// rank orders the jobs: the time of arrival, less Step for every level of priority, less up to
	// Step for a near deadline. It never changes, which bounds the waiting of jobs with a low
	// priority.
	rank     time.Time
	deadline time.Time
	serial   uint64

	key      string            // the key of its line
	line     *line             // nil while a worker has it or it is being placed
	waits    bool              // no worker has it
	at       int               // index in line.jobs
	exclude  []identity.PeerID // the nodes that have failed the job
	lost     []identity.PeerID // of exclude, the nodes that may succeed the next time
	tried    int               // how often it was sent and failed
	vacancy  vacancy           // of the last Choice for it or for its line
	attempts []Attempt
	last     Result        // of the last node that failed: its cost stays, whatever node comes next
	busy     int           // answers of busy nodes
	unsent   int           // nodes to which nothing could be sent
	atMost   int           // Config.Attempts
	told     bool          // it waits apart from the jobs that have not asked
	apart    string        // Apart of the last Choice
	waitsFor string        // For of the last Choice
	with     time.Duration // time spent with nodes
	ran      time.Duration // the known running time within that
	lastNode identity.PeerID

	done   chan struct{} // closed after result and err are set
	result Result
	err    error
}

func (m *Matchmaker) newTicket(ctx context.Context, job Job, now time.Time) *ticket {
	j := job.Admitted().Job()
	deadline := j.Deadline
	if deadline.IsZero() {
		deadline = never
	}
	return &ticket{
		job: job, id: j.ID, ctx: ctx, arrived: now, deadline: deadline, waitsFor: "its turn",
		rank: now.Add(-time.Duration(j.Priority)*m.cfg.Step - urgency(deadline.Sub(now), m.cfg.Step)),
		key:  keyOf(j, job.Admitted().Ledger()), atMost: m.cfg.Attempts,
		done: make(chan struct{}),
	}
}

// halfUrgent is the time left that makes a job half as urgent as no time left.
const halfUrgent = time.Minute

// urgency converts a deadline into waiting time: nearly step when it is about to pass, half of step
// when it is a minute away, almost nothing when it is hours away or there is none.
func urgency(left, step time.Duration) time.Duration {
	return time.Duration(float64(step) * float64(halfUrgent) / float64(halfUrgent+max(left, 0)))
}

// keyOf returns the key of what a job waits for: when every node is busy for one job of a key, it
// is for every other.
func keyOf(j governance.Job, ledger identity.LedgerID) string {
	return fmt.Sprintf("%s %s %d %#v", j.Capsule, ledger, j.ReplicasOrOne(), j.Requirements)
}

// failedOn counts a failure of node and excludes node from t's next attempts.
func (t *ticket) failedOn(node identity.PeerID, err error) {
	t.tried++
	t.exclude = append(t.exclude, node)
	if passing(err) {
		t.lost = append(t.lost, node)
	}
	t.key = t.excluding()
}

// again readmits the nodes that were lost with the job or had trouble of their own. It reports
// whether there are any.
func (t *ticket) again() bool {
	if len(t.lost) == 0 {
		return false
	}
	t.exclude = slices.DeleteFunc(slices.Clone(t.exclude), func(id identity.PeerID) bool { return slices.Contains(t.lost, id) })
	t.lost, t.key = nil, t.excluding()
	return true
}

// excluding is the key of t's line.
func (t *ticket) excluding() string {
	a := t.job.Admitted()
	key := keyOf(a.Job(), a.Ledger())
	for _, node := range t.exclude {
		key += " -" + string(node)
	}
	if t.told {
		key += " told"
	}
	return key
}

// wants describes t's next attempt.
func (t *ticket) wants() Waiting {
	return Waiting{Ctx: t.ctx, Job: t.job, Attempt: len(t.attempts) + 1, Last: t.tried+1 >= t.atMost, Exclude: t.exclude}
}

// over returns the error of this package for a job that ended without an answer because ctx did.
// ctx is t's own or ends with the service. When both end in the same moment, the job's own end
// counts.
func (t *ticket) over(ctx context.Context) error {
	err := ended(ctx)
	switch {
	case t.ctx.Err() != nil:
		err = ended(t.ctx)
	case !time.Now().Before(t.deadline):
		err = passed{}
	}
	if errors.Is(err, ErrDeadline) && t.vacancy.err != nil {
		err = fmt.Errorf("%w: %w", err, t.vacancy.err)
	}
	return err
}

// tickets is a heap ordered by rank, then deadline, then arrival.
type tickets []*ticket

func (t *ticket) before(o *ticket) bool {
	return cmp.Or(t.rank.Compare(o.rank), t.deadline.Compare(o.deadline), cmp.Compare(t.serial, o.serial)) < 0
}

func (q tickets) Len() int           { return len(q) }
func (q tickets) Less(i, j int) bool { return q[i].before(q[j]) }

func (q tickets) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *tickets) Push(v any) {
	t := v.(*ticket)
	t.at = len(*q)
	*q = append(*q, t)
}

func (q *tickets) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
