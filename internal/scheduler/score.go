package scheduler

import (
	"math"
	"time"
)

// Scorer ranks nodes: the node with the highest score wins. Score must depend on n alone and be a
// finite number above zero, or Upsert refuses the node. The index calls it a few times per change
// of a node, never per decision. Parts names the terms that Score multiplied or added, for people
// to read.
// terms that Score multiplied or added, for people to read.
type Scorer interface {
	Score(n Node) float64
	Parts(n Node) []Part
}

// Part is one term of a score.
type Part struct {
	Name  string
	Value float64
}

// Floors of the default score.
const (
	MinLatency    = 100 * time.Microsecond
	MinCreditCost = 1 // microcredit per second
)

// Formula is the kernel's default score:
//
//	(1000 / latencyMs) * (1 / creditCost)
//
// Latency counts as at least MinLatency and cost as at least MinCreditCost. Formula adds the time
// that a job is expected to wait on the node (Node.Wait) to the latency. That time is 0 for a node
// without queue and without jobs from here, whose score is the formula to the bit.
type Formula struct{}

// Score implements Scorer.
func (Formula) Score(n Node) float64 {
	return (1000 / (latencyMs(n) + waitMs(n))) * (1 / creditCost(n))
}

// Parts implements Scorer. The score is the product of the parts. The last part exists only when a
// wait is expected.
func (Formula) Parts(n Node) []Part {
	parts := []Part{
		{"1000/latencyMs", 1000 / latencyMs(n)},
		{"1/creditCost", 1 / creditCost(n)},
	}
	if wait := waitMs(n); wait > 0 {
		parts = append(parts, Part{"latencyMs/(latencyMs+waitMs)", latencyMs(n) / (latencyMs(n) + wait)})
	}
	return parts
}

func waitMs(n Node) float64 { return float64(n.Wait()) / float64(time.Millisecond) }

func latencyMs(n Node) float64 {
	return float64(max(n.Latency, MinLatency)) / float64(time.Millisecond)
}

func creditCost(n Node) float64 { return float64(max(n.CreditCost, MinCreditCost)) }

func validScore(s float64) bool { return s > 0 && !math.IsInf(s, 1) }
