package credit

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"inos/internal/identity"
)

// Deed is one measured result of a node's work.
type Deed uint8

// The deeds, from good to bad.
const (
	DeedDone     Deed = iota // the job was done, in time
	DeedLate                 // done, after its deadline
	DeedFailed               // lost, crashed or refused after it had accepted
	DeedDisagree             // its output was not the one agreed on
)

// deeds has the weight of each deed, how much evidence it is, and its worth, how good it is.
var deeds = [...]struct{ weight, worth float64 }{
	DeedDone: {1, 1}, DeedLate: {1, 0.4}, DeedFailed: {1, 0}, DeedDisagree: {8, 0},
}

// ReputationConfig of a Reputation; zero fields have the defaults named.
type ReputationConfig struct {
	HalfLife time.Duration // after which evidence counts half; 0 means 24 h
	Prior    float64       // evidence that the neutral score counts for; 0 means 5
	Max      int           // nodes remembered; 0 means 4096; past it the one with the least evidence of a sample goes
}

// Reputation is what this node has measured of others, never what they report of themselves. It
// is a Beta posterior (Jøsang and Ismail, 2002) whose evidence decays, so that a node returns to
// neutral with time. Safe for concurrent use; nothing blocks.
type Reputation struct {
	cfg ReputationConfig
	mu  sync.Mutex
	of  map[identity.PeerID]evidence
}

type evidence struct {
	good, bad float64
	at        time.Time
}

// neutral is the score of an unknown node.
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

// aged returns e decayed to now. Evidence from a future time was recorded with a wrong clock and
// ages from now on.
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

// Note records a deed of node.
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

// forget drops the node with the least evidence of a sample. Go's map order is random enough,
// and nodes with much evidence of misbehaviour stay.
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

// Of returns the reputation of node: a score from 0 to 1, 0.5 for an unknown node, and a
// confidence from 0 (never seen) towards 1.
func (r *Reputation) Of(node identity.PeerID, now time.Time) (score, confidence float64) {
	r.mu.Lock()
	e := r.of[node]
	r.mu.Unlock()
	e = r.aged(e, now)
	seen := e.good + e.bad
	return (e.good + r.cfg.Prior*neutral) / (seen + r.cfg.Prior), seen / (seen + r.cfg.Prior)
}

// Factor returns Of as a factor of a placement score: 1 for an unknown node, towards 2 for the
// best and 0 for the worst.
func (r *Reputation) Factor(node identity.PeerID, now time.Time) float64 {
	score, _ := r.Of(node, now)
	return 2 * score
}

// Save encodes everything, for a key-value store; Load reads it.
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

// Load replaces everything by the result of Save. Errors match ErrCorrupt and change nothing.
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
		// The negated form is also true of NaN.
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
