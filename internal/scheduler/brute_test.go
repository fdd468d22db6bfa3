package scheduler

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"inos/internal/identity"
)

// bruteForce decides by looking at every node: the contract, written down a
// second time without an index.
func bruteForce(nodes map[identity.PeerID]Node, r Request, now time.Time) (Node, float64, bool) {
	var tied []Node
	best := 0.0
	for _, n := range nodes {
		if !meets(n, r, now) {
			continue
		}
		ms := max(float64(n.Latency)/1e6, 0.1)
		score := (1000 / (ms + expectedWait(n))) * (1 / float64(max(n.CreditCost, 1))) / (1 + n.Failures)
		switch {
		case score > best:
			best, tied = score, append(tied[:0], n)
		case score == best:
			tied = append(tied, n)
		}
	}
	if len(tied) == 0 {
		return Node{}, 0, false
	}
	job := hashText(r.JobID)
	slices.SortFunc(tied, func(a, b Node) int {
		return cmp.Or(cmp.Compare(hashText(a.ID)-job, hashText(b.ID)-job), cmp.Compare(a.ID, b.ID))
	})
	tied = tied[:min(len(tied), tieWindow)]
	winner := slices.MaxFunc(tied, func(a, b Node) int {
		return cmp.Or(
			cmp.Compare(rendezvous(job, hashText(a.ID)), rendezvous(job, hashText(b.ID))),
			cmp.Compare(b.ID, a.ID))
	})
	return winner, best, true
}

// expectedWait is in milliseconds, by the documentation of Node.Wait.
func expectedWait(n Node) float64 {
	service := 100 * time.Millisecond
	if n.Service > 0 {
		service = n.Service
	}
	ahead := float64(n.QueueLength) + float64(n.InFlight)
	return float64(time.Duration(ahead*float64(service)/float64(max(n.Slots, 1)))) / 1e6
}

func meets(n Node, r Request, now time.Time) bool {
	for _, c := range r.Capabilities {
		if !slices.Contains(n.Capabilities, c) {
			return false
		}
	}
	return n.FreeSlots > 0 && !n.Undialable && !n.Unheard && n.Expires.After(now) && strings.HasPrefix(n.GeoHash, r.GeoPrefix) &&
		(r.MaxCost == 0 || n.CreditCost <= r.MaxCost) && !slices.Contains(r.Exclude, n.ID)
}

var capabilityNames = []string{"gpu", "simd", "threads", "realtime", "storage", "hash", "wasm64", "camera"}

const geoDigits = "0123456789bcdefghjkmnpqrstuvwxyz"

// randomNode makes a node. Coarse figures make many ties, fine ones few.
func randomNode(rng *rand.Rand, i int, coarse bool, now time.Time) Node {
	n := Node{
		ID:         identity.PeerID(fmt.Sprintf("12D3KooWnode%06d", i)),
		GeoHash:    randomGeo(rng, rng.IntN(8)),
		Latency:    time.Duration(rng.Int64N(int64(300 * time.Millisecond))),
		CreditCost: rng.Uint64N(10_000),
		FreeSlots:  rng.Uint32N(4),
		Expires:    now.Add(time.Duration(1 + rng.Int64N(int64(time.Minute)))),
		Sequence:   1,
	}
	n.Slots = n.FreeSlots
	n.Undialable, n.Unheard = rng.IntN(8) == 0, rng.IntN(8) == 0
	if rng.IntN(3) == 0 {
		n.Stranger = 200 // more than the slots of any
	}
	if rng.IntN(4) == 0 {
		n.QueueLength = rng.Uint32N(5)
	}
	if coarse {
		n.Latency = time.Duration(1+rng.IntN(3)) * time.Millisecond
		n.CreditCost = 1 + rng.Uint64N(2)
	}
	for _, c := range capabilityNames {
		if rng.IntN(2) == 0 {
			n.Capabilities = append(n.Capabilities, c)
		}
	}
	return n
}

func randomGeo(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = geoDigits[rng.IntN(3)] // few cells, so that prefixes meet nodes
	}
	return string(b)
}

func randomRequest(rng *rand.Rand, job int, nodes int) Request {
	r := Request{JobID: fmt.Sprintf("job-%d", job)}
	for range rng.IntN(4) {
		r.Capabilities = append(r.Capabilities, capabilityNames[rng.IntN(len(capabilityNames))])
	}
	if rng.IntN(3) == 0 {
		r.GeoPrefix = randomGeo(rng, rng.IntN(5))
	}
	if rng.IntN(3) == 0 {
		r.MaxCost = 1 + rng.Uint64N(5_000)
	}
	for range rng.IntN(5) {
		r.Exclude = append(r.Exclude, identity.PeerID(fmt.Sprintf("12D3KooWnode%06d", rng.IntN(nodes+1))))
	}
	return r
}
