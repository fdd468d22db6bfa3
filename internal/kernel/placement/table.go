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
	Owner        identity.PeerID // who has vouched for owning this node, zero for nobody
	Capabilities []string
	GeoHash      string
	CreditCost   uint64 // microcredits per second of capsule time
	Slots        int    // of this node; 0: it is no candidate

	Scorer     scheduler.Scorer
	Reputation *credit.Reputation // nil: nothing is remembered beyond this run of the program
	// DefaultLatency is the least latency that a node counts with while nothing is known of it
	// but its claim.
	DefaultLatency time.Duration
	MaxNodes       int
	// Explain is the number of known nodes up to which every choice is explained in full, which
	// looks at every node.
	Explain int
	// Now is a monotonic clock. It measures how long a choice takes and decides nothing.
	Now     func() time.Time
	Effects Effects
}

// Effects is what a Table has done by its owner. Its methods do not block and do not call the
// Table.
type Effects interface {
	// Kick has the jobs that wait for a node chosen for again.
	Kick()
	// KickAfter is Kick after d. stop is for a Kick that is not wanted any more.
	KickAfter(d time.Duration) (stop func())
	// Measure has a node measured soon: Measured or Missed follows.
	Measure(id identity.PeerID)
	// Probe has the nodes of p measured at once: Measured or Missed follows for each of them,
	// then ProbeEnded. false: there is no way to do that now.
	Probe(p *Probe) bool
	// CanDial reports whether one of a node's addresses can be dialled from here.
	CanDial(addrs []string) bool
	// Fund sets aside what a run of j on a node of this price can cost, in microcredits a
	// second.
	Fund(j Job, price uint64, now time.Time) (Offer, error)
	// Placed tells that a slot has been set aside for j.
	Placed(j Job, node identity.PeerID, score float64, attempt int, now time.Time)
	// OwnChanged tells that this node's profile is to be published anew.
	OwnChanged()
	// NodeHeard tells of a node that is new, or says something new of itself; NodeGone of one
	// that has expired or answers no more.
	NodeHeard(p mesh.Profile, isNew bool, now time.Time)
	NodeGone(id identity.PeerID, now time.Time)
}

// Table is what one node knows of the nodes, and what it has set aside of them. One goroutine
// uses it.
type Table struct {
	cfg    Config
	since  time.Time // this node has been there since then
	index  *scheduler.Index
	scorer weighted
	nodes  map[identity.PeerID]*node
	peers  map[identity.PeerID]bool // connected, whether or not their profile is known
	own    own
	// vivaldi is this node's network coordinate.
	vivaldi *vivaldi.Node

	placed  int         // slots set aside and not given back
	refused suspensions // of nodes that failed a job which another node has done
	suspect suspensions // of nodes that failed a job which no other node has done yet
	price   averagePrice
	// strangersOut counts the attempts that nodes without a record have. lostOut is until when
	// those may redeem their promises that were lost with one.
	strangersOut int
	lostOut      []time.Time

	estimated  int               // nodes known and never measured
	asked      []identity.PeerID // of those that have never answered; the oldest first
	newest     *Probe            // that such nodes were asked in
	unanswered int               // probes since a node was measured for the first time
}

// New makes a Table that knows this node alone. Errors are the scheduler's, for this node's own
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

// Tick lets time pass; call it every second or so. What has expired is forgotten, though it is
// never chosen anyway.
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

// Len counts the candidates, this node included if it has slots.
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

// Explain says what a choice for req would come to, as scheduler.Index.Explain does.
func (t *Table) Explain(req scheduler.Request, now time.Time, top int) (scheduler.Explanation, error) {
	return t.index.Explain(req, now, top)
}
