package bridge

import (
	"fmt"
	"strings"
	"sync"

	"inos/internal/console"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/scheduler"
)

// remembered bounds the past jobs that explain and jobs can describe.
const remembered = 512

// pastJob is the part of a past job that the kernel's job table does not keep.
type pastJob struct {
	input, output uint64 // bytes
	score         float64
	decision      placement.Decision
	node          identity.PeerID
}

// history remembers the latest dispatches. Safe for concurrent use.
type history struct {
	mu    sync.Mutex
	jobs  map[string]pastJob
	order []string // oldest first
}

func (h *history) add(id string, j pastJob) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = make(map[string]pastJob)
	}
	if len(h.order) == remembered {
		delete(h.jobs, h.order[0])
		h.order = h.order[1:]
	}
	h.jobs[id] = j
	h.order = append(h.order, id)
}

func (h *history) get(id string) (pastJob, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j, ok := h.jobs[id]
	return j, ok
}

// explanation describes a decision in words. It omits what was not counted.
func explanation(job string, e placement.Decision, names map[identity.PeerID]string, chosen identity.PeerID) console.Explanation {
	v := console.Explanation{JobID: job, Chosen: string(chosen), Considered: considered(e.Explanation, names, chosen)}
	v.Summary = fmt.Sprintf("%d nodes known", e.Considered)
	if !e.Counted {
		v.Summary += ", more than a placement takes the time to count"
		if why := placement.Reason(e.Explanation, chosen); why != "" {
			v.Summary += fmt.Sprintf(". Chosen: %s (%s)", nameOf(names, chosen), why)
		}
		return v
	}
	v.Summary += fmt.Sprintf(", %d could run it", e.Feasible)
	for _, r := range scheduler.Requirements {
		if n := e.RuledOut[r]; n > 0 {
			v.Summary += fmt.Sprintf("; %d ruled out by %s", n, r)
		}
	}
	if why := placement.Reason(e.Explanation, chosen); why != "" {
		v.Summary += fmt.Sprintf(". Chosen: %s (%s)", nameOf(names, chosen), why)
		return v
	}
	if advice := e.Advice(); len(advice) > 0 {
		text := strings.Join(advice, "; ")
		v.Summary += ". " + strings.ToUpper(text[:1]) + text[1:]
	}
	return v
}

// foreign describes, as far as this node knows it, a choice that another node made.
func foreign(j kernel.JobInfo, names map[identity.PeerID]string) console.Explanation {
	return console.Explanation{
		JobID: j.ID, Chosen: string(j.Node), Considered: []console.Considered{},
		Summary: fmt.Sprintf("Dispatched by %s, which chose %s and knows why", nameOf(names, j.From), nameOf(names, j.Node)),
	}
}

// nodesIn are the nodes that considered would list.
func nodesIn(e scheduler.Explanation) []identity.PeerID {
	ids := make([]identity.PeerID, 0, len(e.Top)+len(e.Ruled))
	for _, c := range e.Top {
		ids = append(ids, c.Node.ID)
	}
	for _, r := range e.Ruled {
		ids = append(ids, r.Node.ID)
	}
	return ids
}

func nameOf(names map[identity.PeerID]string, id identity.PeerID) string {
	if n := names[id]; n != "" {
		return n
	}
	return string(id)
}
