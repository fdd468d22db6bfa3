package credit

import (
	"math"
	"sync"
	"time"

	"inos/internal/identity"
)

// Deed is what a node did, as this node measured it.
type Deed uint8

// The deeds, from good to bad.
const (
	DeedDone     Deed = iota // the job was done, in time
	DeedLate                 // done, after its deadline
	DeedFailed               // lost, crashed or refused after it had accepted
	DeedDisagree             // its output was not the one agreed on
)

// weight and worth of each deed: how much evidence it is and how good.
var deeds = [...]struct{ weight, worth float64 }{
	DeedDone: {1, 1}, DeedLate: {1, 0.4}, DeedFailed: {1, 0}, DeedDisagree: {8, 0},
}

// ReputationConfig of a Reputation; zero fields have the defaults named.
type ReputationConfig struct {
	HalfLife time.Duration // in which evidence counts half; 0 means 24 h
	Prior    float64       // how much evidence neutral is worth; 0 means 5
	Max      int           // nodes remembered; 0 means 4096, past it the least known goes
}

// Reputation is what this node has seen of others, never what they say of
// themselves. It is a Beta posterior (Jøsang and Ismail, 2002) whose evidence
// decays, so that a node not seen for long is neutral again. Safe for concurrent
// use; nothing blocks.
type Reputation struct {
	cfg ReputationConfig
	mu  sync.Mutex
	of  map[identity.PeerID]evidence
}

type evidence struct {
	good, bad float64
	at        time.Time
}

// neutral is what is thought of a stranger.
const neutral = 0.5

// NewReputation returns an empty one.
func NewReputation(cfg ReputationConfig) *Reputation {
	if cfg.HalfLife <= 0 {
		cfg.HalfLife = 24 * time.Hour
	}
	if cfg.Prior <= 0 {
		cfg.Prior = 5
	}
	if cfg.Max <= 0 {
		cfg.Max = 4096
	}
	return &Reputation{cfg: cfg, of: make(map[identity.PeerID]evidence)}
}

// aged is e as it counts now. A clock that falls back ages nothing.
func (r *Reputation) aged(e evidence, now time.Time) evidence {
	if d := now.Sub(e.at); d > 0 && !e.at.IsZero() {
		f := math.Exp2(-float64(d) / float64(r.cfg.HalfLife))
		e.good, e.bad = e.good*f, e.bad*f
		e.at = now
	} else if e.at.IsZero() {
		e.at = now
	}
	return e
}

// Note counts what node did.
func (r *Reputation) Note(node identity.PeerID, d Deed, now time.Time) {
	if int(d) >= len(deeds) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, known := r.of[node]
	if !known && len(r.of) >= r.cfg.Max {
		r.forget(now)
	}
	e = r.aged(e, now)
	e.good += deeds[d].weight * deeds[d].worth
	e.bad += deeds[d].weight * (1 - deeds[d].worth)
	r.of[node] = e
}

// forget drops the node with the least evidence of a sample: Go's map order is
// random enough, and who misbehaved much is kept.
func (r *Reputation) forget(now time.Time) {
	var worst identity.PeerID
	least, n := math.Inf(1), 0
	for node, e := range r.of {
		if e = r.aged(e, now); e.good+e.bad < least {
			worst, least = node, e.good+e.bad
		}
		if n++; n == 16 {
			break
		}
	}
	delete(r.of, worst)
}

// Of returns what is thought of node: a score from 0 to 1, 0.5 for a stranger,
// and a confidence from 0 (never seen) towards 1.
func (r *Reputation) Of(node identity.PeerID, now time.Time) (score, confidence float64) {
	r.mu.Lock()
	e := r.of[node]
	r.mu.Unlock()
	e = r.aged(e, now)
	seen := e.good + e.bad
	return (e.good + r.cfg.Prior*neutral) / (seen + r.cfg.Prior), seen / (seen + r.cfg.Prior)
}

// Factor is Of as a factor of a placement score: 1 for a stranger, towards 2 for
// the best and 0 for the worst.
func (r *Reputation) Factor(node identity.PeerID, now time.Time) float64 {
	score, _ := r.Of(node, now)
	return 2 * score
}
