package kernel

import (
	"context"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
)

// remembered is how many ended jobs the table keeps.
const remembered = 256

// job is a job in the table.
type job struct {
	info     JobInfo
	admitted governance.Admitted
	sub      *Submission // nil for a job of another node
	history  placement.History
	run      *quorum.Run // nil: one node runs it
	cancel   context.CancelCauseFunc

	outran    time.Duration // the longest run that was cut short
	outlasted uint64        // the most microcredits that were used up
}

var _ placement.Job = (*job)(nil)

// Admitted implements matchmaker.Job.
func (j *job) Admitted() governance.Admitted { return j.admitted }

// History implements placement.Job.
func (j *job) History() *placement.History { return &j.history }

// jobTable holds the jobs that are here and the last ones that ended.
type jobTable struct {
	active map[jobKey]*job
	ended  [remembered]endedJob // a ring
	count  int                  // all that ever ended
}

// endedJob is what the table keeps of an ended job.
type endedJob struct {
	info     JobInfo
	decision placement.Decision
}

// jobKey distinguishes a job dispatched from here from the same job running here.
type jobKey struct {
	id   string
	from identity.PeerID // zero: dispatched from here
}

func newJobTable() jobTable { return jobTable{active: make(map[jobKey]*job)} }

func (t *jobTable) add(j *job) bool {
	key := jobKey{j.info.ID, j.info.From}
	if t.active[key] != nil {
		return false
	}
	t.active[key] = j
	return true
}

func (t *jobTable) get(id string, from identity.PeerID) *job { return t.active[jobKey{id, from}] }

// end moves a job to the ended ones.
func (t *jobTable) end(id string, from identity.PeerID, out mesh.JobOutcome, err error, now time.Time) {
	key := jobKey{id, from}
	j := t.active[key]
	if j == nil {
		return
	}
	delete(t.active, key)
	j.history.End()
	j.info.Ended, j.info.Cost = now, out.Cost
	switch {
	case err == nil:
		j.info.State = JobDone
	case out.Code == mesh.JobCancelled:
		j.info.State, j.info.Err = JobCancelled, err.Error()
	default:
		j.info.State, j.info.Err = JobFailed, err.Error()
	}
	d, _ := j.history.Decision()
	t.ended[t.count%remembered] = endedJob{j.info, d}
	t.count++
}

// list returns the jobs that are here, then the ended ones, the newest first.
func (t *jobTable) list() []JobInfo {
	out := make([]JobInfo, 0, len(t.active)+min(t.count, remembered))
	for _, j := range t.active {
		out = append(out, j.info)
	}
	for i := range min(t.count, remembered) {
		out = append(out, t.ended[(t.count-1-i)%remembered].info)
	}
	return out
}

// past returns the last decision about an ended job that was dispatched from here.
func (t *jobTable) past(id string) (d placement.Decision, node identity.PeerID, ok bool) {
	for i := range min(t.count, remembered) {
		if j := &t.ended[(t.count-1-i)%remembered]; j.info.ID == id && j.info.From == "" {
			return j.decision, j.info.Node, true
		}
	}
	return d, "", false
}
