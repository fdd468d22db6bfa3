// Package mesh defines what the kernel needs from a network of nodes: finding them, hearing about
// them, and sending them jobs, commands and capsules. It has no network of its own: mesh/p2p is
// libp2p, mesh/inproc is memory.
package mesh

import (
	"context"
	"time"

	"inos/internal/capsule"
	"inos/internal/clock"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/trace"
)

// Errors of a mesh. ErrUnreachable and ErrTimeout are retryable, on another
// node at once or on the same one later; the others are final.
var (
	// ErrUnreachable: the node does not answer. Advice: try again, or another node; the kernel goes on trying.
	ErrUnreachable = fault.Retryable("unreachable", "mesh: peer unreachable")
	// ErrTimeout: the node did not answer in time. Advice: try again, or another node.
	ErrTimeout = fault.Retryable("timeout", "mesh: timed out")
	// ErrProtocol: the node sent what it must not. Advice: use another node; its kernel may be of another version.
	ErrProtocol = fault.Final("protocol_violation", "mesh: peer broke the protocol")
	// ErrAddress: the multiaddr of a node does not parse, or nobody can dial it. Advice: give one that a node
	// printed when it started.
	ErrAddress = fault.Final("bad_address", "mesh: address does not parse")
	// ErrCertificate: the node's certificate is not the one that its address pins, or is out of its time. Advice:
	// get the node's present address; the message says when a clock is wrong.
	ErrCertificate = fault.Final("certificate_mismatch", "mesh: certificate refused")
	// ErrSignature: a node's signature does not verify, or another node answers for it. Advice: use another node.
	ErrSignature = fault.Final("bad_signature", "mesh: signature does not verify")
	// ErrNotFound: no node that was asked has it. Advice: check the name or the CID, or publish it.
	ErrNotFound = fault.Final("not_found", "mesh: not found")
	// ErrLocalNetwork: the browser keeps this page from this machine or the local network, or has asked its user
	// and has no answer. Advice: allow it: [browsers.md](browsers.md#nodes-on-this-machine-and-around-it).
	ErrLocalNetwork = fault.Retryable("local_network_denied", "mesh: not allowed to reach the local network").Decisive()
	ErrClosed       = fault.Final("kernel_closed", "mesh: closed")
	// ErrLossy comes with ErrUnreachable or ErrTimeout: the measured path to the peer loses
	// packets, so the failure may not be the peer's.
	ErrLossy = fault.Internal("mesh: the path there loses packets")
	// ErrNoRoom comes with the error of a function that was asked for room for incoming data and
	// had none.
	ErrNoRoom = fault.Internal("mesh: no room here for what was to come")
	// ErrUnsent comes with another error of RunJob: the job never left this node, so no node can
	// have done work for it.
	ErrUnsent = fault.Internal("mesh: nothing was sent")
)

// Profile is what a node claims about itself, with a verified signature. Latency is the node's own
// claim; a caller measures its own.
type Profile struct {
	Peer         identity.PeerID
	Name         string // for people; never used to decide
	Kind         string // "native" or "browser"
	Capabilities []string
	GeoHash      string
	Latency      time.Duration
	CreditCost   uint64 // microcredits per second of capsule time
	FreeSlots    uint32
	QueueLength  uint32
	Expires      time.Time // by this node's clock, wherever the profile came from
	Issued       time.Time // when the node signed it; zero from one that does not say
	Sequence     uint64
	Addrs        []string // multiaddrs
	Coordinate   *Coordinate
	// Owner is the key that has vouched for owning the node, zero for none. Agreement among nodes
	// of one owner proves nothing.
	Owner identity.PeerID
	// Ownership is Owner's signature under it, as on the wire.
	Ownership []byte
}

// Coordinate is a Vivaldi network coordinate (Dabek et al., SIGCOMM 2004) in
// seconds.
type Coordinate struct {
	Vec        []float64
	Error      float64
	Adjustment float64
	Height     float64
}

// JobCall is a job on its way to another node.
type JobCall struct {
	Envelope governance.Envelope // its payload is the Job
	Job      governance.Job      // with the budget that it has on this node
	Voucher  []byte              // signed, as on the wire; nil when the ledger is known there
	// Ahead is how far the caller's clock is ahead of this node's. Signed times in the call are in
	// the caller's time, all other times in this node's.
	Ahead time.Duration
	// Origin is the network that the caller is on, zero where that is not known.
	Origin string
	Input  []byte
	// Body reads the input while it is still being received, so that a job that is not admitted
	// takes no memory. It is nil where Input holds it all, and is called at most once.
	Body func(ctx context.Context) ([]byte, error)
}

// ReadInput returns the input and blocks until it is received. Errors are the mesh's: the caller
// went away, fell silent or broke the protocol.
func (c JobCall) ReadInput(ctx context.Context) ([]byte, error) {
	if c.Body == nil {
		return c.Input, nil
	}
	return c.Body(ctx)
}

// JobOutcome is the result of a job. Code has the ordinals of schema JobCode.
type JobOutcome struct {
	JobID        string
	Code         JobCode
	Message      string
	Reason       string // stable code of a rejection
	Node         identity.PeerID
	Output       []byte
	OutputCID    string
	Cost         uint64 // microcredits
	Queued       time.Duration
	Run          time.Duration
	Receipt      []byte       // signed, as on the wire
	FetchedBytes uint64       // bytes of capsule that travelled for this job
	Spans        []trace.Span // what the node did for the job, when
	// Sent is set by a Handler that counts the output's memory. The sender of the outcome calls it
	// once it no longer uses the output, sent or not. nil means that nobody counts. It does not
	// travel.
	Sent func()
}

// LetGo calls Sent, if it is set, and clears it.
func (o *JobOutcome) LetGo() {
	if o.Sent != nil {
		o.Sent()
		o.Sent = nil
	}
}

// CommandType is the type of the Envelope that a lifecycle command travels in.
const CommandType = "capsule:command:v1"

// CommandCall is a lifecycle command for a capsule on another node.
type CommandCall struct {
	Envelope governance.Envelope // its payload is the LifecycleCmd
	Command  capsule.Command
	// Origin is the network that the caller is on, zero where that is not known.
	Origin string
}

// FetchType is the type of the Envelope that a request for a capsule travels in.
const FetchType = "capsule:fetch:v1"

// FetchCall asks another node for a capsule, or for a snapshot of one.
type FetchCall struct {
	Envelope governance.Envelope
	CID      capsule.CID
	// Room is called with the number of bytes before they are received; its error becomes
	// FetchCapsule's. It may be called again for the same capsule. nil means that there is room.
	Room func(bytes uint64) error
}

// Progress is a report from a running job.
type Progress struct {
	Done, Total uint64
	Cost        uint64 // microcredits so far
}

// Blob is a capsule as it travels: its bytes and its signed manifest. Publisher is
// who signed it, once that has been checked.
type Blob struct {
	Manifest       capsule.Manifest
	Publisher      identity.PeerID
	SignedManifest []byte
	Wasm           []byte
	// Origin is the network that it came from, zero where that is not known.
	Origin string
}

// Peer is one node of the mesh as this one sees it.
type Peer struct {
	Profile   Profile
	Connected bool
	Addr      string        // the multiaddr in use, empty when not connected
	RTT       time.Duration // last measured, 0 when never
	Clock     clock.Offset  // of its clock, as measured over the connection
}

// Mesh is a node's membership. All methods are safe for concurrent use, block
// until done or ctx ends, and return errors that match this package's.
type Mesh interface {
	Self() identity.PeerID
	// Addrs are the multiaddrs others can dial; a browser has none.
	Addrs() []string
	// Connect dials the multiaddr, which ends in /p2p/ and a peer id.
	Connect(ctx context.Context, addr string) (identity.PeerID, error)
	// Publish announces p (with Peer, Addrs, Sequence and signature filled in) by
	// gossip and as provider records of its capabilities.
	Publish(ctx context.Context, p Profile) error
	// Find asks the directory for the nodes that provide capability, connects to
	// them if need be and returns their verified, unexpired profiles.
	Find(ctx context.Context, capability string) ([]Profile, error)
	// Ping measures one round trip.
	Ping(ctx context.Context, p identity.PeerID) (time.Duration, error)
	// RunJob sends call to p and waits for the outcome. onProgress may be nil; it
	// must not block. Cancelling ctx cancels the job there.
	RunJob(ctx context.Context, p identity.PeerID, call JobCall, onProgress func(Progress)) (JobOutcome, error)
	// Command sends a lifecycle command to a capsule on p.
	Command(ctx context.Context, p identity.PeerID, call CommandCall) (capsule.Reply, error)
	// FetchCapsule gets a capsule from p; CID and signature have been checked.
	FetchCapsule(ctx context.Context, p identity.PeerID, call FetchCall) (Blob, error)
	// Peers lists the connected peers.
	Peers() []Peer
	// Events delivers until Close: bounded, oldest profile events shed first.
	Events() <-chan Event
	Close() error
}

// Event is one of ProfileHeard, PeerConnected, PeerDisconnected.
type Event interface{ meshEvent() }

// ProfileHeard: a verified profile came by gossip, exchange or lookup.
type ProfileHeard struct{ Profile Profile }

// PeerConnected and PeerDisconnected follow the first and last connection.
type (
	PeerConnected    struct{ Peer identity.PeerID }
	PeerDisconnected struct{ Peer identity.PeerID }
)

func (ProfileHeard) meshEvent()     {}
func (PeerConnected) meshEvent()    {}
func (PeerDisconnected) meshEvent() {}

// Handler answers what other nodes ask of this one. Methods may block; ctx ends
// with the stream's deadline or when the caller goes away.
type Handler interface {
	// HandleJob runs a job from a peer. fetch gets the job's capsule from the
	// caller, over the same connection.
	HandleJob(ctx context.Context, from identity.PeerID, call JobCall, fetch FetchFunc, onProgress func(Progress)) JobOutcome
	HandleCommand(ctx context.Context, from identity.PeerID, call CommandCall) capsule.Reply
	// HandleFetch returns a capsule this node has and lets from have.
	HandleFetch(ctx context.Context, from identity.PeerID, call FetchCall) (Blob, bool)
}

// Dialer is a Mesh that knows which addresses it can dial. A node without an address that can be
// dialled is reached only while it is connected: a browser accepts no connections. CanDial does not
// block. A mesh that is no Dialer can dial every node.
type Dialer interface {
	CanDial(addrs []string) bool
}

// RequestFunc answers a request of another node: a short message with a short answer, by
// the name of its protocol. An error resets the stream, without a reason.
type RequestFunc func(ctx context.Context, from identity.PeerID, body []byte) (answer []byte, err error)

// Names of the requests that nodes send each other: the protocols /inos/NAME/1.
const (
	RequestTrace    = "trace"    // spans for a node that exports them
	RequestReceipt  = "receipt"  // what became of a voucher
	RequestCheque   = "cheque"   // a cheque, answered by one
	RequestUnearned = "unearned" // vouchers that will never be billed
)

// MaxRequestBody bounds a request and its answer, in bytes.
const MaxRequestBody = 64 << 10

// Requester is a Mesh that carries requests. Request sends body to p under name and waits
// for the answer; it connects if need be. Errors as Command's, and ErrUnsent.
type Requester interface {
	Request(ctx context.Context, p identity.PeerID, name string, body []byte) (answer []byte, err error)
}

// FetchFunc gets a capsule from the node that sent the job.
type FetchFunc func(ctx context.Context, call FetchCall) (Blob, error)
