package kernel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/mesh/inproc"
	"inos/internal/supervisor"
	"inos/internal/testkit"
	"inos/internal/testkit/blobs"
)

// fakeCapsules runs "capsules" that hash their input after working for as long as
// their first argument says. It is a working Capsules.
type fakeCapsules struct {
	runs        atomic.Int64
	running     atomic.Int64
	mostRunning atomic.Int64

	busyUntil time.Time // Run is refused until then

	mu       sync.Mutex
	commands []capsule.Command
	spawned  int
	list     []lifecycle.CapsuleInfo
}

func (w *fakeCapsules) Serve(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (w *fakeCapsules) Command(_ context.Context, cmd capsule.Command) (capsule.Reply, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands = append(w.commands, cmd)
	r := capsule.Reply{ID: cmd.ID, CapsuleID: cmd.Target}
	if cmd.Type == capsule.Spawn {
		w.spawned++
		r.CapsuleID = fmt.Sprintf("capsule-%d", w.spawned)
		w.list = append(w.list, lifecycle.CapsuleInfo{ID: r.CapsuleID, CID: cmd.Spawn.CID, State: "healthy"})
	}
	return r, nil
}

func (w *fakeCapsules) List() []lifecycle.CapsuleInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.list)
}

func (w *fakeCapsules) Run(ctx context.Context, _ capsule.CID, limits Limits, t capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	w.runs.Add(1)
	if time.Now().Before(w.busyUntil) {
		return nil, supervisor.ErrBusy
	}
	capsule.Begin(ctx)
	w.mostRunning.Store(max(w.mostRunning.Load(), w.running.Add(1)))
	defer w.running.Add(-1)
	if t.Method == "crash" {
		return nil, &capsule.PanicError{Message: "asked to"}
	}
	if limits.Time > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limits.Time)
		defer cancel()
	}
	work := time.Duration(0)
	if len(t.Args) > 0 {
		work, _ = time.ParseDuration(t.Args[0])
	}
	onProgress(0, 2)
	select {
	case <-time.After(work):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	onProgress(2, 2)
	sum := sha256.Sum256(t.Input)
	if err := t.Room(uint64(len(sum))); err != nil {
		return nil, err
	}
	return sum[:], nil
}

var testWasm = []byte("\x00asm a capsule, as far as these tests go")

func testBlob() mesh.Blob {
	return mesh.Blob{Manifest: capsule.Manifest{CID: capsule.SumCID(testWasm), Name: "hash", TimeLimit: time.Minute}, Wasm: testWasm}
}

// member is a kernel in a test's mesh.
type member struct {
	*Kernel
	capsules *fakeCapsules
	blobs    *blobs.Store
	mesh     *inproc.Member
	stop     func()
}

// world is a mesh of kernels inside a synctest bubble.
type world struct {
	t   *testing.T
	net *inproc.Network
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, net: inproc.New(inproc.Config{})}
	t.Cleanup(func() { w.net.Close() })
	return w
}

// start runs a kernel named by seed; change may adjust its configuration.
func (w *world) start(seed string, change func(*Config)) *member {
	w.t.Helper()
	gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{testkit.NamedLedger("payer"): 1_000_000}})
	require.NoError(w.t, err)
	m := &member{capsules: &fakeCapsules{}, blobs: &blobs.Store{}}
	cfg := Config{
		Self: testkit.NamedPeer(seed), Name: seed, Kind: "native", Capabilities: []string{"simd"}, CreditCost: 10, Slots: 2,
		Gate: gate, Capsules: m.capsules, Blobs: m.blobs,
	}
	if change != nil {
		change(&cfg)
	}
	m.Kernel, err = New(cfg)
	require.NoError(w.t, err)
	m.mesh, err = w.net.Join(testkit.NamedKey(seed), m.Kernel)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, m.mesh) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	w.t.Cleanup(m.stop)
	synctest.Wait()
	return m
}

// meet connects a to b, both ways as connections are.
func (w *world) meet(a, b *member) {
	w.t.Helper()
	_, err := a.mesh.Connect(context.Background(), b.mesh.Addrs()[0])
	require.NoError(w.t, err)
}

// submission is a job for the hash capsule.
func submission(input string, change func(*Submission)) Submission {
	id := testkit.UUID()
	s := Submission{
		Envelope: governance.Envelope{
			ID: testkit.UUID(), Type: "inos:dispatch:v1", Timestamp: time.Now(),
			Metadata: governance.Metadata{CreditLedgerID: string(testkit.NamedLedger("payer"))},
		},
		Job: governance.Job{
			ID: id, Capsule: capsule.SumCID(testWasm).String(), Method: "sha256",
			InputLength: uint64(len(input)), InputCID: capsule.SumCID([]byte(input)).String(),
			Deadline: time.Now().Add(time.Minute),
		},
		Input: []byte(input),
	}
	if change != nil {
		change(&s)
	}
	return s
}

func needs(capabilities ...string) func(*Submission) {
	return func(s *Submission) { s.Job.Requirements.Capabilities = capabilities }
}
