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
	"inos/internal/testkit/blobs"
	"inos/internal/testkit/capsules"
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
	capsules *fakeCapsules
	blobs    *blobs.Store
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
	s := &site{self: self, net: n, gate: gate, capsules: &fakeCapsules{}, blobs: &blobs.Store{}}
	s.adjuster = adjuster.New(adjuster.Config{Listener: noListener{}})
	life, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	c := Config{
		Self: self, CreditCost: 10, Gate: gate, Capsules: s.capsules, Blobs: s.blobs, Snapshots: &snapshots{},
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

type noListener struct{}

func (noListener) Throttled(adjuster.Throttle)           {}
func (noListener) Fidelity(adjuster.Fidelity, time.Time) {}

func (s *site) Mesh() (mesh.Mesh, error) { return siteMesh{nil, s}, nil }

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

// siteMesh is the network as one site sees it.
type siteMesh struct {
	mesh.Mesh
	at *site
}

func (w siteMesh) Command(ctx context.Context, to identity.PeerID, call mesh.CommandCall) (capsule.Reply, error) {
	return w.at.net[to].HandleCommand(ctx, w.at.self, call), nil
}

func (w siteMesh) FetchCapsule(ctx context.Context, from identity.PeerID, call mesh.FetchCall) (mesh.Blob, error) {
	blob, ok := w.at.net[from].HandleFetch(ctx, w.at.self, call)
	if !ok {
		return blob, mesh.ErrNotFound
	}
	return blob, nil
}

func (w siteMesh) Call(ctx context.Context, to identity.PeerID, call mesh.CapsuleCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	return w.at.net[to].HandleCall(ctx, w.at.self, call, onProgress), nil
}

func (w siteMesh) Feed(ctx context.Context, to identity.PeerID, call mesh.FeedCall, r io.Reader, onTaken func(uint64)) (mesh.FeedEnd, error) {
	return w.at.net[to].HandleFeed(ctx, w.at.self, call, io.NopCloser(r), onTaken), nil
}

// fakeCapsules keeps a list of capsules and carries every command out. They take streams and
// return what they are called with.
type fakeCapsules struct {
	mu       sync.Mutex
	commands []capsule.Command
	list     []CapsuleInfo
	spawned  int
	taken    []byte
}

func (c *fakeCapsules) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
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

func (c *fakeCapsules) List() []CapsuleInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

func (c *fakeCapsules) Send(_ context.Context, _ string, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = append(c.taken, p...)
	return nil
}

func (c *fakeCapsules) Call(_ context.Context, _ string, _ time.Duration, task capsule.Task, _ func(done, total uint64)) ([]byte, error) {
	return task.Input, nil
}

// count is how many commands of a type it was given.
func (c *fakeCapsules) count(kind capsule.CommandType) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.commands {
		if cmd.Type == kind {
			n++
		}
	}
	return n
}

// snapshots are images by CID.
type snapshots struct{ capsules.Images }

func (*snapshots) Seal(name string, b []byte) (mesh.Blob, error) {
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
