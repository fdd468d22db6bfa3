package scheduler

import (
	"math"
	"time"

	"inos/internal/identity"
)

// DefaultService is the assumed duration of a job until one has ended.
const DefaultService = 100 * time.Millisecond

// newestService is the weight of one more job in the average of its node.
const newestService = 8

// Wait estimates how long a job sent to n waits there. It takes the jobs ahead of it, queued there
// or on their way from here, times the mean duration of a job, over the slots that serve them.
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

// Observe records how long a job ran on id, without the transfer. The duration enters the averages
// of the node and of all nodes. A node that comes later, or whose first job this is, starts with
// the average of all nodes. Observe ignores unknown nodes and times below zero.
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

// scoreOf returns the Scorer's score of n, reduced for failures.
func (x *Index) scoreOf(n Node) float64 { return x.scorer.Score(n) / (1 + n.Failures) }

// rescore updates the score of slot after a change of its expected wait. It keeps the old score
// when the Scorer returns an invalid one.
func (x *Index) rescore(slot int32) {
	if score := x.scoreOf(x.node(slot)); validScore(score) {
		x.nodes[slot].score = score
	}
}
