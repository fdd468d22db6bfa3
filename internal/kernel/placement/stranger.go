package placement

import (
	"errors"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// A stranger is a node without a record: only its own claims are known. It has few jobs at a time,
// its price counts as at least half of the usual one, and while money is out with a stranger the
// next job goes to a node with a record.
const (
	// maxWorking bounds node.working.
	maxWorking = 254
	// maxLostOut bounds the remembered promises that were lost with strangers.
	maxLostOut = 1024
	// strangerFloor is the least price that a stranger counts with, as a share of the price of
	// nodes that have done jobs: a node without a record cannot buy the first rank.
	strangerFloor = 0.5
)

// stranger reports whether a node has no record: it has never done a job for this node, as far as
// is remembered, or has failed more than it has done.
func (t *Table) stranger(id identity.PeerID, n *node, now time.Time) bool {
	if n.answers.n > 0 {
		return false
	}
	return t.cfg.Reputation == nil || t.cfg.Reputation.Factor(id, now) <= 1
}

// allowed is how many jobs a node without a record may have at a time: one more than it has
// reported as running. 0: it has a record.
func (t *Table) allowed(id identity.PeerID, n *node, now time.Time) uint8 {
	if !t.stranger(id, n, now) {
		return 0
	}
	return n.working + 1
}

// Working takes in that node reports that it runs the job of slot.
func (t *Table) Working(slot *Slot, id identity.PeerID, now time.Time) {
	n := t.nodes[id]
	if !slot.stranger || slot.working || slot.returned || n == nil {
		return
	}
	slot.working = true
	n.working = min(n.working+1, maxWorking)
	t.index.SetStranger(id, t.allowed(id, n, now))
	t.cfg.Effects.Kick()
}

// outWithStrangers counts the attempts that strangers have, and those that were lost with a
// stranger which may still redeem the promise.
func (t *Table) outWithStrangers(now time.Time) int {
	t.lostOut = slices.DeleteFunc(t.lostOut, func(until time.Time) bool { return !now.Before(until) })
	return t.strangersOut + len(t.lostOut)
}

// strangerDone takes in that the attempt of slot on a node that was a stranger has ended.
func (t *Table) strangerDone(id identity.PeerID, slot *Slot, err error, now time.Time) {
	if !slot.stranger {
		return
	}
	if n := t.nodes[id]; slot.working && n != nil && n.working > 0 {
		n.working--
		t.index.SetStranger(id, t.allowed(id, n, now))
	}
	if err != nil && !answered(err) && !errors.Is(err, mesh.ErrUnsent) && !errors.Is(err, mesh.ErrResult) && len(t.lostOut) < maxLostOut {
		t.lostOut = append(t.lostOut, slot.until)
	}
}

// averagePrice is the price of nodes that have done jobs, in microcredits a second: a moving
// average.
type averagePrice float64

func (p *averagePrice) add(of uint64) {
	if *p == 0 {
		*p = averagePrice(of)
		return
	}
	*p += (averagePrice(of) - *p) / 16
}

// priceFactor is the factor that removes a stranger's advantage by a price below the floor.
func (t *Table) priceFactor(cost uint64) float64 {
	floor := float64(t.price) * strangerFloor
	if own := float64(max(cost, scheduler.MinCreditCost)); own < floor {
		return own / floor
	}
	return 1
}
