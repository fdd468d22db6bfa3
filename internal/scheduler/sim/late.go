package sim

import (
	"math/rand/v2"
	"time"

	"inos/internal/scheduler"
)

// late is a classic policy together with what the INOS kernel does around a choice: it sets slots
// aside, a node without a free slot refuses, and a job for which no slot is known waits in its
// kernel. It separates the effect of that from the effect of the choice.
type late struct {
	*indexed
	// worth ranks the nodes with a free slot; the highest is taken.
	worth func(n scheduler.Node, h *host) float64
}

func (p *late) choose(job int, now time.Duration) (int, bool) {
	best, worth := -1, 0.0
	for i, h := range p.hosts {
		n, _ := p.index.Node(name(i))
		if n.FreeSlots == 0 {
			continue
		}
		if w := p.worth(n, h); best < 0 || w > worth {
			best, worth = i, w
		}
	}
	if best < 0 {
		return 0, false
	}
	lease, _ := p.index.Acquire(name(best), epoch.Add(now))
	p.leases[best] = append(p.leases[best], lease)
	return best, true
}

// lateBound returns the classics with late binding.
func lateBound() []Policy {
	bind := func(name string, worth func(kernel int, rng *rand.Rand) func(scheduler.Node, *host) float64) Policy {
		return Policy{name + ", late", func(k int, h []*host, rng *rand.Rand) chooser {
			return &late{newIndexed(k, h, nil), worth(k, rng)}
		}}
	}
	return []Policy{
		bind("random", func(_ int, rng *rand.Rand) func(scheduler.Node, *host) float64 {
			return func(scheduler.Node, *host) float64 { return rng.Float64() }
		}),
		bind("shortest queue", func(_ int, rng *rand.Rand) func(scheduler.Node, *host) float64 {
			return func(n scheduler.Node, h *host) float64 {
				return float64(n.FreeSlots)/float64(h.slots) + 1e-6*rng.Float64() // a random one of those alike
			}
		}),
		bind("nearest", func(k int, _ *rand.Rand) func(scheduler.Node, *host) float64 {
			return func(_ scheduler.Node, h *host) float64 { return -float64(h.latency[k]) }
		}),
		bind("cheapest", func(int, *rand.Rand) func(scheduler.Node, *host) float64 {
			return func(_ scheduler.Node, h *host) float64 { return -float64(h.cost) }
		}),
	}
}
