package scheduler

import (
	"math"
	"time"

	"inos/internal/identity"
)

// DefaultService is how long a job is taken to run as long as none has ended.
const DefaultService = 100 * time.Millisecond

// newestService is the weight of one more job in the average of its node.
const newestService = 8

// Wait is how long a job sent to n is expected to wait there: the jobs that are
// ahead of it, queued there or on their way from here, each as long as a job
// takes, over the slots that work them off.
func (n Node) Wait() time.Duration {
	ahead := float64(n.QueueLength) + float64(n.InFlight)
	if ahead == 0 {
		return 0
	}
	service := n.Service
	if service <= 0 {
		service = DefaultService
	}
	wait := ahead * float64(service) / float64(max(n.Slots, 1))
	return time.Duration(min(wait, math.MaxInt64/4))
}

// Observe tells how long a job ran on id, without the way there and back. It
// enters the average of the node and of all nodes; the latter is what a node
// starts with that comes later, or whose first job this is. Unknown nodes and times below zero are ignored.
func (x *Index) Observe(id identity.PeerID, ran time.Duration) {
	if ran <= 0 {
		return
	}
	x.service = averaged(x.service, ran)
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return
	}
	r := &x.nodes[slot]
	was := x.standing(slot)
	if r.service == 0 {
		r.service = x.service
	}
	r.service = averaged(r.service, ran)
	x.rescore(slot)
	x.replace(slot, &was)
}

func averaged(old, sample time.Duration) time.Duration {
	if old == 0 {
		return sample
	}
	return max(old+(sample-old)/newestService, 1)
}

// scoreOf is what the Scorer makes of n, less for failures.
func (x *Index) scoreOf(n Node) float64 { return x.scorer.Score(n) / (1 + n.Failures) }

// rescore brings the score of slot up to date with what is expected of it. A
// Scorer that now says something that is no score is not believed.
func (x *Index) rescore(slot int32) {
	if score := x.scoreOf(x.node(slot)); validScore(score) {
		x.nodes[slot].score = score
	}
}
