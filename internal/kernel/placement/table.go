package placement

import (
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/scheduler/vivaldi"
)

// Config of a Table. Self, Scorer, DefaultLatency, MaxNodes, Now and Effects are required.
type Config struct {
	Self         identity.PeerID
	Owner        identity.PeerID // owner that has vouched for this node, zero for none
	Capabilities []string
	GeoHash      string
	CreditCost   uint64 // microcredits per second of capsule time
	Slots        int    // of this node; 0: it is not a candidate

	Scorer     scheduler.Scorer
	Reputation *credit.Reputation // nil: nothing is remembered beyond this run of the program
	// DefaultLatency is the least latency that a node counts with while only its claim is known.
	DefaultLatency time.Duration
	MaxNodes       int
	// Explain is the number of known nodes up to which every choice is explained in full, for which
	// every node is looked at.
	Explain int
	// Now is a monotonic clock. It measures how long a choice takes and decides nothing.
	Now     func() time.Time
	Effects Effects
}

// Effects is what a Table has its owner do. Its methods do not block and do not call the Table.
type Effects interface {
	// Kick starts another choice for the jobs that wait for a node.
	Kick()
	// KickAfter kicks after d. stop prevents that.
	KickAfter(d time.Duration) (stop func())
	// Measure measures a node soon: Measured or Missed follows.
	Measure(id identity.PeerID)
	// Probe measures the nodes of p at once: Measured or Missed follows for each of them, then
	// ProbeEnded. false: that is not possible now.
	Probe(p *Probe) bool
	// CanDial reports whether one of a node's addresses can be dialled from here.
	CanDial(addrs []string) bool
	// Fund sets aside what a run of j on a node of this price can cost, in microcredits a
	// second.
	Fund(j Job, price uint64, now time.Time) (Offer, error)
	// Placed reports that a slot has been set aside for j.
	Placed(j Job, node identity.PeerID, score float64, attempt int, now time.Time)
	// OwnChanged reports that this node's profile is to be published again.
	OwnChanged()
	// NodeHeard reports a node that is new, or whose profile has changed; NodeGone one that has
	// expired or no longer answers.
	NodeHeard(p mesh.Profile, isNew bool, now time.Time)
	NodeGone(id identity.PeerID, now time.Time)
}

// Table is what one node knows of the nodes, and the slots that it has set aside. One goroutine
// uses it.
type Table struct {
	cfg    Config
	since  time.Time // the time since which this node has been there
	index  *scheduler.Index
	scorer weighted
	nodes  map[identity.PeerID]*node
	peers  map[identity.PeerID]bool // connected, whether or not their profile is known
	own    own
	// vivaldi is this node's network coordinate.
	vivaldi *vivaldi.Node

	placed  int         // slots that are set aside and not given back
	refused suspensions // nodes that failed a job which another node has done
	suspect suspensions // nodes that failed a job which no other node has done yet
	price   averagePrice
	// strangersOut counts the attempts that nodes without a record have. lostOut holds the times
	// until which strangers that were lost with an attempt may redeem the promise.
	strangersOut int
	lostOut      []time.Time

	estimated  int               // nodes known and never measured
	asked      []identity.PeerID // those of them that have never answered; the oldest first
	newest     *Probe            // the last probe of such nodes
	unanswered int               // probes since a node was measured for the first time
}

// New makes a Table that knows this node alone. Errors are the scheduler's for this node's own
// entry.
func New(c Config, now time.Time) (*Table, error) {
	t := &Table{
		cfg:     c,
		since:   now,
		scorer:  weighted{c.Scorer, make(map[identity.PeerID]float64), make(map[identity.PeerID]float64)},
		nodes:   make(map[identity.PeerID]*node),
		peers:   make(map[identity.PeerID]bool),
		own:     own{free: c.Slots},
		vivaldi: newVivaldi(c.Self),
	}
	t.index = scheduler.New(scheduler.Config{Scorer: t.scorer, MaxNodes: c.MaxNodes})
	return t, t.upsertOwn(now)
}

// Tick forgets what has expired, which is never chosen anyway, and ends what is over. Call it every
// second or so.
func (t *Table) Tick(now time.Time) {
	if t.index.Reconsider(now) { // a node is back from quarantine
		t.cfg.Effects.Kick()
	}
	t.fadeReputations(now)
	t.askAgain(now)
	t.index.Sweep(now, func(id identity.PeerID) {
		t.drop(id)
		t.cfg.Effects.NodeGone(id, now)
	})
}

// Len counts the candidates, with this node if it has slots.
func (t *Table) Len() int { return t.index.Len() }

// Known counts the other nodes.
func (t *Table) Known() int { return len(t.nodes) }

// Peers counts the connected nodes.
func (t *Table) Peers() int { return len(t.peers) }

// Placed counts the slots that are set aside.
func (t *Table) Placed() int { return t.placed }

// TopK fills dst with the best nodes for req, as scheduler.Index.TopK does.
func (t *Table) TopK(req scheduler.Request, now time.Time, dst []scheduler.Choice) (int, error) {
	return t.index.TopK(req, now, dst)
}

// Explain describes a choice for req, as scheduler.Index.Explain does.
func (t *Table) Explain(req scheduler.Request, now time.Time, top int) (scheduler.Explanation, error) {
	return t.index.Explain(req, now, top)
}
