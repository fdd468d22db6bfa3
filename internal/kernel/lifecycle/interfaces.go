package lifecycle

import (
	"context"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/threads/adjuster"
)

// Config of this package's parts. Snapshots, Upkeep and Memory may be nil, Capabilities
// empty.
type Config struct {
	Self         identity.PeerID
	Capabilities []string
	CreditCost   uint64 // microcredits per second of capsule time
	Gate         Gate
	Capsules     Capsules
	Blobs        Blobs
	Snapshots    Snapshots // nil: images do not travel
	Upkeep       Upkeep    // nil: spawned capsules cost nothing
	Memory       *budget.Memory
	Node         Node
	// AuthorizeTransfer says whether this node's data may go to node. Errors match ErrDenied.
	AuthorizeTransfer func(ctx context.Context, node identity.PeerID) error
	JobCode           func(err error) mesh.JobCode // says in the mesh's terms how a run failed
	Valves            Valves
	Events            Events
	Now               func() time.Time
	Life              context.Context // ends with the kernel
}

// Gate judges what may be done with capsules. *governance.Gate is one.
type Gate interface {
	// Command says whether from may give a capsule of owner a command of type c.
	Command(from, owner identity.PeerID, c capsule.CommandType) error
	// Capsule says whether a capsule whose manifest publisher signed may be started here.
	Capsule(m capsule.Manifest, publisher identity.PeerID) error
	// Trusts reports whether the policy names publisher.
	Trusts(publisher identity.PeerID) bool
	// Capabilities says whether a capsule spawned here may use those it asks for.
	Capabilities(names []string) error
	// Limits are what a run here may have at most: bytes of memory, and time.
	Limits() (memory uint64, run time.Duration)
}

// Capsules are the capsules of this node. Its streams and calls are optional: see
// streamReceiver, streamSource and callee.
type Capsules interface {
	Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error)
	List() []CapsuleInfo
}

// CapsuleInfo is one capsule of this node, running or ended.
type CapsuleInfo struct {
	ID          string
	CID         string
	Name        string // for people
	State       string
	Heartbeat   capsule.Heartbeat // the last
	Restarts    int
	MemoryBytes uint64 // now; 0 when it does not run
	MemoryLimit uint64
	Epoch       uint32 // memory epoch
	Jobs        int    // runs at work
	Unheard     uint64 // bytes it emitted while nobody listened: dropped
	StartedAt   time.Time
	LastError   error // of the last end
}

// Ended says that it is not coming back.
func (c CapsuleInfo) Ended() bool {
	return c.State == supervisor.Stopped.String() || c.State == supervisor.Failed.String()
}

// Blobs are the modules that this node has. *library.Library is one.
type Blobs interface {
	Has(cid capsule.CID) bool
	Capsule(ctx context.Context, cid capsule.CID) (mesh.Blob, error)
	// CapsuleOf is Capsule with a manifest of a publisher whom trusted says yes to; if there is none, with one that says nothing but the CID, and no publisher.
	CapsuleOf(ctx context.Context, cid capsule.CID, trusted func(publisher identity.PeerID) bool) (mesh.Blob, error)
	// Accept keeps a blob after checking its signature and its bytes.
	Accept(blob mesh.Blob) error
	// Pin has a capsule stay until unpin is called, if it is here or once it comes, for
	// somebody of origin, a network: zero for this node's own. It does not block.
	Pin(cid capsule.CID, origin string) (unpin func())
}

// Snapshots stores images of capsules. Methods may block until ctx ends.
type Snapshots interface {
	// PutImage stores an encoded capsule.Image under its CID. It may retain it.
	PutImage(ctx context.Context, cid capsule.CID, image []byte) error
	// GetImage finds one again; ok is false when there is none.
	GetImage(ctx context.Context, cid capsule.CID) (image []byte, ok bool, err error)
	// Seal makes of bytes that are no module a blob that another node can fetch and
	// check.
	Seal(name string, b []byte) (mesh.Blob, error)
}

// Node is the kernel that the capsules are on.
type Node interface {
	// Mesh is the mesh that is attached. Without one the error says so.
	Mesh() (mesh.Mesh, error)
	// Message is the envelope of something of this kind that is no job, with the DNA that the
	// caller left out filled in.
	Message(ctx context.Context, kind string, dna governance.Metadata) governance.Envelope
	// Pass checks an envelope of this kind that another node sent. Errors match ErrDenied.
	Pass(env governance.Envelope, kind string) error
	// Draining reports whether this node takes no new work.
	Draining() bool
}

// Valves hold streams into congested capsules back. *adjuster.Adjuster has them.
type Valves interface {
	Valve(capsuleID string) *adjuster.Valve
	// Gone ends the valve of a capsule that has ended, and says why.
	Gone(capsuleID string, why error) error
}

// Events hears what was done. Its methods do not block.
type Events interface {
	// Commanded: a command of from, zero for this node's own, was answered by node.
	Commanded(from, node identity.PeerID, cmd capsule.Command, r capsule.Reply, err error)
	// Fed: a stream of from, zero for this node's own, into a capsule on node has ended after
	// taken bytes.
	Fed(from, node identity.PeerID, capsuleID string, taken int64, err error)
	// Charged: ledger, which pays for a capsule, ran dry for reason or pays again. err says why
	// action, "pause", "resume" or "kill", could not be done.
	Charged(capsuleID string, ledger identity.LedgerID, action, reason string, err error)
}

// Upkeep charges ledgers for capsules that were spawned, not started for a job.
// Methods do not block for longer than a write to the ledger's log.
type Upkeep interface {
	// Open begins the account of a capsule that costs rate microcredits a second, from
	// being the node that spawns it, zero for the console, and origin the network that it is
	// on. A nil CapsuleAccount means that it is free. Errors say why ledger will not pay: they
	// carry governance's codes.
	Open(ledger identity.LedgerID, from identity.PeerID, origin string, rate uint64, now time.Time) (CapsuleAccount, error)
}

// ErrNotCharged: a capsule could not be charged, for no fault of its ledger's. Retryable.
var ErrNotCharged = fault.Internal("kernel: capsule could not be charged")

// CapsuleAccount is what one capsule costs its ledger. One goroutine uses it.
type CapsuleAccount interface {
	Ledger() identity.LedgerID
	// Charge pays for what ran since the last call and sets some more aside; an error
	// says that the ledger cannot pay for what comes next, or, when it matches
	// ErrNotCharged, that this node could not write it down: it is charged the next time.
	Charge(ran time.Duration, now time.Time) error
	// Close pays for what ran and gives back what is set aside.
	Close(ran time.Duration, now time.Time)
}
