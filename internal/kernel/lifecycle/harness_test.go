package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/adjuster"
)

// network is services that reach each other directly.
type network map[identity.PeerID]*site

// site is a node with one Service: its capsules, library, snapshots and gate are in memory. It
// implements Node and Events.
type site struct {
	*Service
	self     identity.PeerID
	net      network
	gate     *governance.Gate
	capsules *capsulesOf
	blobs    *blobsOf
	adjuster *adjuster.Adjuster
	draining bool

	mu      sync.Mutex
	denied  identity.PeerID // whom nothing may be sent to
	told    []capsule.CommandType
	actions []string
}

// start adds a node to net. Its policy lets everybody spawn.
func (n network) start(t *testing.T, self identity.PeerID, change func(*Config)) *site {
	t.Helper()
	gate, err := governance.New(governance.Config{Ledgers: noJobs{}, Policy: governance.Policy{
		Lifecycle: []governance.LifecycleRule{{Commands: []capsule.CommandType{capsule.Spawn}}},
	}})
	require.NoError(t, err)
	s := &site{self: self, net: n, gate: gate, capsules: &capsulesOf{}, blobs: &blobsOf{}}
	s.adjuster = adjuster.New(adjuster.Config{Listener: deaf{}})
	life, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	c := Config{
		Self: self, CreditCost: 10, Gate: gate, Capsules: s.capsules, Blobs: s.blobs, Snapshots: &imagesOf{},
		Node: s, AuthorizeTransfer: s.authorizeTransfer, JobCode: jobCode, Valves: s.adjuster, Events: s, Now: time.Now, Life: life,
	}
	if change != nil {
		change(&c)
	}
	s.Service = New(c, NewModules(c), NewMetering(c))
	served := make(chan error, 1)
	go func() { served <- s.metering.Serve(life) }()
	t.Cleanup(func() { stop(); <-served })
	n[self] = s
	return s
}

// noJobs are the ledgers of a gate that admits no job.
type noJobs struct{ governance.Ledgers }

type deaf struct{}

func (deaf) Throttled(adjuster.Throttle)           {}
func (deaf) Fidelity(adjuster.Fidelity, time.Time) {}

func (s *site) Mesh() (mesh.Mesh, error) { return wire{nil, s}, nil }

func (s *site) Message(_ context.Context, kind string, dna governance.Metadata) governance.Envelope {
	return governance.Envelope{Type: kind, Metadata: dna}
}

func (s *site) Pass(env governance.Envelope, kind string) error {
	if env.Type != kind {
		return fmt.Errorf("%w: type %s", ErrDenied, env.Type)
	}
	return nil
}

func (s *site) authorizeTransfer(_ context.Context, node identity.PeerID) error {
	if node == s.denied {
		return ErrDenied
	}
	return nil
}

func (s *site) Draining() bool { return s.draining }

func jobCode(err error) mesh.JobCode {
	if errors.Is(err, ErrFetch) {
		return mesh.JobUnknownCapsule
	}
	return mesh.JobInternal
}

func (s *site) Commanded(_, _ identity.PeerID, cmd capsule.Command, _ capsule.Reply, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, cmd.Type)
}

func (s *site) Fed(identity.PeerID, identity.PeerID, string, int64, error) {}

func (s *site) Charged(_ string, _ identity.LedgerID, action, _ string, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions = append(s.actions, action)
}

// wire is the network as one site sees it.
type wire struct {
	mesh.Mesh
	at *site
}

func (w wire) Command(ctx context.Context, to identity.PeerID, call mesh.CommandCall) (capsule.Reply, error) {
	return w.at.net[to].HandleCommand(ctx, w.at.self, call), nil
}

func (w wire) FetchCapsule(ctx context.Context, from identity.PeerID, call mesh.FetchCall) (mesh.Blob, error) {
	blob, ok := w.at.net[from].HandleFetch(ctx, w.at.self, call)
	if !ok {
		return blob, mesh.ErrNotFound
	}
	return blob, nil
}

func (w wire) Call(ctx context.Context, to identity.PeerID, call mesh.CapsuleCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	return w.at.net[to].HandleCall(ctx, w.at.self, call, onProgress), nil
}

func (w wire) Feed(ctx context.Context, to identity.PeerID, call mesh.FeedCall, r io.Reader, onTaken func(uint64)) (mesh.FeedEnd, error) {
	return w.at.net[to].HandleFeed(ctx, w.at.self, call, io.NopCloser(r), onTaken), nil
}

// capsulesOf keeps a list of capsules and carries every command out. They take streams and
// return what they are called with.
type capsulesOf struct {
	mu       sync.Mutex
	commands []capsule.Command
	list     []CapsuleInfo
	spawned  int
	taken    []byte
}

func (c *capsulesOf) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, cmd)
	r := capsule.Reply{ID: cmd.ID, CapsuleID: cmd.Target}
	if cmd.Type == capsule.Spawn {
		capsule.Begin(ctx)
		c.spawned++
		r.CapsuleID = fmt.Sprint("capsule-", c.spawned)
		c.list = append(c.list, CapsuleInfo{ID: r.CapsuleID, CID: cmd.Spawn.CID, State: "healthy"})
	}
	return r, nil
}

func (c *capsulesOf) List() []CapsuleInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

func (c *capsulesOf) Send(_ context.Context, _ string, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = append(c.taken, p...)
	return nil
}

func (c *capsulesOf) Call(_ context.Context, _ string, _ time.Duration, task capsule.Task, _ func(done, total uint64)) ([]byte, error) {
	return task.Input, nil
}

// count is how many commands of a type it was given.
func (c *capsulesOf) count(kind capsule.CommandType) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.commands {
		if cmd.Type == kind {
			n++
		}
	}
	return n
}

// blobsOf are modules by CID, and how many are pinned.
type blobsOf struct {
	mu    sync.Mutex
	blobs map[capsule.CID]mesh.Blob
	pins  int
}

func (b *blobsOf) Has(cid capsule.CID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.blobs[cid]
	return ok
}

func (b *blobsOf) Capsule(_ context.Context, cid capsule.CID) (mesh.Blob, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	blob, ok := b.blobs[cid]
	if !ok {
		return blob, mesh.ErrNotFound
	}
	return blob, nil
}

func (b *blobsOf) CapsuleOf(ctx context.Context, cid capsule.CID, _ func(identity.PeerID) bool) (mesh.Blob, error) {
	return b.Capsule(ctx, cid)
}

func (b *blobsOf) Accept(blob mesh.Blob) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blobs == nil {
		b.blobs = make(map[capsule.CID]mesh.Blob)
	}
	b.blobs[capsule.SumCID(blob.Wasm)] = blob
	return nil
}

func (b *blobsOf) Pin(capsule.CID, string) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pins++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.pins--
	}
}

// imagesOf are snapshots by CID.
type imagesOf struct {
	mu     sync.Mutex
	images map[capsule.CID][]byte
}

func (i *imagesOf) PutImage(_ context.Context, cid capsule.CID, image []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.images == nil {
		i.images = make(map[capsule.CID][]byte)
	}
	i.images[cid] = image
	return nil
}

func (i *imagesOf) GetImage(_ context.Context, cid capsule.CID) ([]byte, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	image, ok := i.images[cid]
	return image, ok, nil
}

func (i *imagesOf) Seal(name string, b []byte) (mesh.Blob, error) {
	return mesh.Blob{Manifest: capsule.Manifest{CID: capsule.SumCID(b), Name: name}, Wasm: b}, nil
}

var module = []byte("\x00asm\x01\x00\x00\x00")

func moduleCID() string { return capsule.SumCID(module).String() }

func blob() mesh.Blob {
	return mesh.Blob{Manifest: capsule.Manifest{CID: capsule.SumCID(module)}, Wasm: module}
}

func spawnOf(cid string) capsule.Command {
	return capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid}}
}
