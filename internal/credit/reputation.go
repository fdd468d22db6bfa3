package credit

import (
	"encoding/binary"
	"fmt"
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

// aged is e as it counts now. Evidence of a time to come was kept when the clock was wrong:
// it ages from now on.
func (r *Reputation) aged(e evidence, now time.Time) evidence {
	if d := now.Sub(e.at); d > 0 && !e.at.IsZero() {
		f := math.Exp2(-float64(d) / float64(r.cfg.HalfLife))
		e.good, e.bad = e.good*f, e.bad*f
		e.at = now
	} else {
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

// Save writes everything, for a key-value store; Load reads it.
func (r *Reputation) Save() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := []byte{reputationVersion}
	for node, e := range r.of {
		b = append(binary.AppendUvarint(b, uint64(len(node))), node...)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.good))
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.bad))
		b = binary.BigEndian.AppendUint64(b, uint64(e.at.UnixNano()))
	}
	return b
}

const reputationVersion = 1

// Load replaces everything by what Save wrote. Errors match ErrCorrupt and leave
// everything as it was.
func (r *Reputation) Load(b []byte) error {
	if len(b) == 0 || b[0] != reputationVersion {
		return fmt.Errorf("%w: reputation: version", ErrCorrupt)
	}
	of := make(map[identity.PeerID]evidence)
	for b = b[1:]; len(b) > 0; {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > 64 || uint64(len(b)-used) < n+24 || len(of) >= r.cfg.Max {
			return fmt.Errorf("%w: reputation", ErrCorrupt)
		}
		node := identity.PeerID(b[used : used+int(n)])
		b = b[used+int(n):]
		e := evidence{math.Float64frombits(binary.BigEndian.Uint64(b)), math.Float64frombits(binary.BigEndian.Uint64(b[8:])),
			time.Unix(0, int64(binary.BigEndian.Uint64(b[16:]))).UTC()}
		// Not (x >= 0 && x < y) is also true of NaN.
		if !(e.good >= 0 && e.good < 1e15) || !(e.bad >= 0 && e.bad < 1e15) {
			return fmt.Errorf("%w: reputation: evidence out of range", ErrCorrupt)
		}
		of[node], b = e, b[24:]
	}
	r.mu.Lock()
	r.of = of
	r.mu.Unlock()
	return nil
}
