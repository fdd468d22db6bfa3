// Package node builds one node from its parts: signer and ledger, gate, library, supervisor and
// kernel. The native node and the browser kernel differ only in the runtime, the log and the mesh
// that they pass in.
package node

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/payment"
	"inos/internal/payment/clearing"
	"inos/internal/request"
	"inos/internal/supervisor"
	"inos/internal/trace"
	"inos/internal/trace/forward"
	"inos/internal/wire"
)

// Config of a Node. Key, Kind and Runtime are required; figures of zero mean the defaults of the
// parts.
type Config struct {
	Key          ed25519.PrivateKey // identity, publisher and ledger key in one
	Name, Kind   string
	Capabilities []string
	GeoHash      string
	Ownership    []byte // the owner's statement that the key's node is theirs (wire.SealOwnership); nil: none
	CreditCost   uint64 // microcredits per second of capsule time
	Slots        int
	Runtime      capsule.Runtime
	// Memory is the budget of all parts, and of the Runtime where it uses it too; nil: without
	// bound.
	Memory *budget.Memory
	Log    credit.Log // nil: a log that lasts as long as the program
	// Keep stores what must last besides the ledger: this node's proofs of what it is owed, and its
	// measurements of others. nil: it lasts as long as the program.
	Keep payment.Store
	// Export gets every span of this node, and those that browsers send to it; it must not block.
	// nil: no spans are taken from others.
	Export func(trace.Span)
	// Allowance is what this node's own ledger may spend, in microcredits.
	Allowance uint64
	// StrangerLine is the credit granted to a ledger whose first voucher arrives.
	StrangerLine uint64
	Policy       governance.Policy
	// KeptPolicy starts with the last policy that was put in force, where Policy is none.
	KeptPolicy   bool
	MaxCapsules  int // live at once
	Nodes        int // known at most; 0 means 1<<20
	Overdue      supervisor.OverduePolicy
	PublishEvery time.Duration
	PingEvery    time.Duration
	// Hedge sends a second copy of this node's own jobs when the first takes unusually long; see
	// kernel.Config.
	Hedge bool
	// Near, as GEOHASH:KM, makes distance count for this node's own jobs: a node KM away from
	// GEOHASH scores half. Empty: distance does not count.
	Near string
	// Now is this machine's clock, with its monotonic reading; nil means time.Now.
	Now func() time.Time
	// OnHeartbeat is called for every heartbeat; it must not block. May be nil.
	OnHeartbeat func(capsuleID string)

	supervise func(*supervisor.Config) // changes it, in tests
	capacity  uint64                   // of the library, in tests; 0: as it is
}

// Node is the joined parts of a node. Run the Kernel; it serves the rest.
type Node struct {
	Payment    *payment.Service
	Reputation *credit.Reputation
	Kernel     *kernel.Kernel
	Library    *library.Library
	Supervisor *supervisor.Supervisor
	Gate       *governance.Gate
	Ledger     *credit.Ledger
	Signer     *credit.Signer

	now         func() time.Time
	onHeartbeat func(capsuleID string)
	key         ed25519.PrivateKey
	keep        payment.Store

	requests   *request.Exchange
	clearing   *clearing.Clearing
	durability *payment.Durability
	reputation *payment.SavedReputation
	sequence   *mesh.SavedSequence
	forwarder  *forward.Forwarder // nil: this node's spans are not sent, or go to Config.Export
	receiver   *forward.Receiver  // nil: other nodes' spans are refused

	mu    sync.Mutex
	beats map[string]time.Time // time of each capsule's latest heartbeat
}

// New builds a node. It starts nothing.
func New(cfg Config) (*Node, error) {
	if len(cfg.Key) != ed25519.PrivateKeySize || cfg.Runtime == nil || cfg.Kind == "" {
		return nil, errors.New("node: key, kind and runtime are required")
	}
	n := &Node{onHeartbeat: cfg.OnHeartbeat, beats: make(map[string]time.Time), durability: payment.NewDurability()}
	if cfg.Keep != nil {
		cfg.Keep = n.durability.Observe(cfg.Keep)
	}
	if n.now = cfg.Now; n.now == nil {
		n.now = time.Now
	}
	var err error
	if err = n.openLedger(cfg); err != nil {
		return nil, err
	}
	if n.Payment, err = payment.New(payment.Config{Signer: n.Signer, Ledger: n.Ledger, Keep: cfg.Keep}, n.now()); err != nil {
		return nil, err
	}
	n.Reputation = credit.NewReputation(credit.ReputationConfig{})
	n.key, n.keep = cfg.Key, cfg.Keep
	if n.reputation, err = payment.LoadReputation(cfg.Keep, n.Reputation); err != nil {
		return nil, err
	}
	if cfg.Policy, err = n.policyAtStart(cfg.Policy, cfg.KeptPolicy); err != nil {
		return nil, err
	}
	if n.Gate, err = governance.New(governance.Config{Policy: cfg.Policy, Ledgers: n.Ledger}); err != nil {
		return nil, err
	}
	if n.Library, err = newLibrary(cfg, n.Gate); err != nil {
		return nil, err
	}
	self := identity.PeerIDOf(cfg.Key.Public().(ed25519.PublicKey))
	var owner identity.PeerID
	if cfg.Ownership != nil {
		if owner, err = wire.OpenOwnership(cfg.Ownership, self); err != nil {
			return nil, fmt.Errorf("node: owner: %w", err)
		}
	}
	score, err := scorer(cfg.Near)
	if err != nil {
		return nil, err
	}
	images := library.NewImages(share(library.DefaultImages, cfg.Memory, 16), cfg.Memory)
	supervise := supervisor.Config{
		Runtime: cfg.Runtime, Codec: wire.Capsules{}, Blobs: n.Library, Images: images, Emit: n.note, MaxCapsules: cfg.MaxCapsules,
		Overdue: cfg.Overdue,
	}
	if cfg.supervise != nil {
		cfg.supervise(&supervise)
	}
	if n.Supervisor, err = supervisor.New(supervise); err != nil {
		return nil, err
	}
	n.Kernel, err = kernel.New(kernel.Config{
		Now:             n.now,
		Self:            self,
		Owner:           owner,
		Ownership:       cfg.Ownership,
		Name:            cfg.Name,
		Kind:            cfg.Kind,
		Capabilities:    cfg.Capabilities,
		GeoHash:         cfg.GeoHash,
		CreditCost:      cfg.CreditCost,
		Slots:           cfg.Slots,
		AlwaysVolunteer: cfg.Kind == "native", // a native node has no user in front of it
		Gate:            n.Gate,
		Capsules:        kernel.Supervised(n.Supervisor),
		Blobs:           n.Library,
		Snapshots:       snapshots{images, n.Library},
		Payments:        n.Payment,
		Upkeep:          n.Payment,
		Memory:          cfg.Memory,
		Reputation:      n.Reputation,
		Scorer:          score,
		Nodes:           cfg.Nodes,
		Hedge:           cfg.Hedge,
		PublishEvery:    cfg.PublishEvery,
		PingEvery:       cfg.PingEvery,
	})
	if err != nil {
		return nil, err
	}
	n.joinBackground(cfg)
	return n, nil
}

// joinBackground makes the node's background work.
func (n *Node) joinBackground(cfg Config) {
	n.requests = request.New(n.Kernel, n.now)
	n.clearing = clearing.New(clearing.Config{Payment: n.Payment, Ledger: n.Ledger, Signer: n.Signer, Requests: n.requests,
		Subscribe: n.Kernel.Subscribe, Now: n.now})
	n.sequence = mesh.NewSavedSequence(n.keep, n.Kernel.Mesh)
	self := n.Kernel.Self()
	switch {
	case cfg.Export != nil:
		n.receiver = forward.NewReceiver(cfg.Export)
		n.Kernel.Spans().Listen(func(s trace.Span) {
			if s.Node == self { // the other nodes export their own
				cfg.Export(s)
			}
		})
	case cfg.Kind == "browser":
		n.forwarder = forward.NewForwarder(self, n.requests)
		n.Kernel.Spans().Listen(n.forwarder.Add)
	}
}

// Requests are the requests that this node answers besides jobs and commands: pass them to the
// mesh.
func (n *Node) Requests() map[string]mesh.RequestFunc {
	notes := n.clearing.Answers()
	if n.receiver != nil {
		notes[mesh.RequestTrace] = n.receiver.Take
	}
	for name, answer := range notes {
		notes[name] = n.requests.Handler(name, answer)
	}
	return notes
}

// Sequence is the sequence number that this node's profiles may have reached in an earlier run:
// pass it to the mesh.
func (n *Node) Sequence() uint64 { return n.sequence.Last() }

// snapshots are this node's snapshots, sealed by its library for transfer.
type snapshots struct {
	*library.Images
	library *library.Library
}

// Seal implements lifecycle.Snapshots.
func (s snapshots) Seal(name string, b []byte) (mesh.Blob, error) { return s.library.Seal(name, b) }

// newLibrary makes a library that takes in what the policy allows. The kernel asks again before
// each start, since the policy may have changed.
func newLibrary(cfg Config, gate *governance.Gate) (*library.Library, error) {
	return library.New(library.Config{
		Self:     identity.PeerIDOf(cfg.Key.Public().(ed25519.PublicKey)),
		Capacity: share(cmp.Or(cfg.capacity, library.DefaultCapacity), cfg.Memory, 8),
		Memory:   cfg.Memory,
		Sign:     func(m capsule.Manifest) ([]byte, error) { return wire.SealManifest(m, cfg.Key) },
		Verify: func(signed []byte) (capsule.Manifest, identity.PeerID, error) {
			m, publisher, err := wire.OpenManifest(signed)
			if err != nil {
				return capsule.Manifest{}, "", err
			}
			return m, publisher, gate.Capsule(m, publisher)
		},
	})
}

// share is most, or one of parts equal parts of memory's limit when that is less.
func share(most uint64, memory *budget.Memory, parts uint64) uint64 {
	if all := memory.Most(); all > 0 {
		return min(most, all/parts)
	}
	return most
}

// strangersLines times a stranger's credit line is the most that all strangers together can owe a
// node.
const strangersLines = 16

func (n *Node) openLedger(cfg Config) (err error) {
	if cfg.Log == nil {
		cfg.Log = &credit.MemoryLog{Bound: credit.MemoryBudget}
	}
	if n.Signer, err = credit.NewSigner(credit.SignerConfig{Key: cfg.Key, Codec: wire.Credit{}}); err != nil {
		return err
	}
	n.Ledger, err = credit.OpenLedger(credit.Config{Log: cfg.Log, Codec: wire.Credit{},
		Self: n.Signer.Peer(), StrangerLine: cfg.StrangerLine, StrangersLine: strangersLines * cfg.StrangerLine})
	if err != nil {
		return err
	}
	n.Ledger.OnFailed(n.durability.Fail)
	if err = n.Ledger.OpenAccount(n.Signer.Ledger(), cfg.Allowance, n.now()); err != nil {
		return fmt.Errorf("node: opening the own ledger: %w", err)
	}
	return nil
}

// Run runs the kernel, joined to m, which may be nil, and the node's background work, until ctx
// ends. It returns when all of that has ended.
func (n *Node) Run(ctx context.Context, m mesh.Mesh) error {
	var work sync.WaitGroup
	defer work.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work.Go(func() { n.clearing.Run(ctx) })
	work.Go(func() { n.reputation.Run(ctx) })
	work.Go(func() { n.sequence.Run(ctx) })
	work.Go(func() { n.durability.Run(ctx, n.Payment, n.now, n.Kernel.SetBooks) })
	if n.forwarder != nil {
		work.Go(func() { n.forwarder.Run(ctx) })
	}
	return n.Kernel.Run(ctx, m)
}
