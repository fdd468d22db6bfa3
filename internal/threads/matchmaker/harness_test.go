package matchmaker

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

var payer = identity.LedgerIDOf(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))

// payAll covers every budget; it is a working governance.Ledgers.
type payAll struct{}

func (payAll) Authorize(_ identity.LedgerID, _ string, _ []byte, _, _ identity.PeerID, amount, ceiling uint64, _ time.Time) (uint64, error) {
	return max(amount, 1), nil
}

var uuids atomic.Uint64

func newID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], uuids.Add(1))
	b[6], b[8] = 0x70, 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// admit passes a job through a real gate: there is no other way to get one.
func admit(t *testing.T, change func(*governance.Job)) governance.Admitted {
	t.Helper()
	g, err := governance.New(governance.Config{Ledgers: payAll{}})
	require.NoError(t, err)
	job := governance.Job{ID: newID(), Capsule: "c", Deadline: time.Now().Add(time.Hour)}
	if change != nil {
		change(&job)
	}
	a, err := g.Admit(governance.Request{
		Envelope: governance.Envelope{
			ID: newID(), Type: "inos:dispatch:v1", Timestamp: time.Now(),
			Metadata: governance.Metadata{CreditLedgerID: string(payer)},
		},
		Job: job,
	}, time.Now())
	require.NoError(t, err)
	return a
}

// yard is a Chooser and a Runner over named nodes with a slot each. It works:
// slots are taken and returned, excluded nodes are not chosen.
type yard struct {
	mu      sync.Mutex
	nodes   []identity.PeerID // best first
	taken   map[identity.PeerID]bool
	full    map[identity.PeerID]bool
	behave  func(ctx context.Context, job governance.Job, node identity.PeerID) (mesh.JobOutcome, error)
	stall   int  // the attempt whose choice takes until its end, 0: none
	late    bool // it finds a node all the same
	m       *Matchmaker
	chosen  []identity.PeerID
	order   []string // job ids in the order in which they ran
	running int
}

func newYard(nodes ...identity.PeerID) *yard {
	return &yard{nodes: nodes, taken: map[identity.PeerID]bool{}, full: map[identity.PeerID]bool{}}
}

var errNobody = fmt.Errorf("yard: nobody")

func (y *yard) Choose(ctx context.Context, _ governance.Admitted, attempt int, exclude []identity.PeerID) (Placement, error) {
	if attempt == y.stall {
		<-ctx.Done()
		if !y.late {
			return Placement{}, ctx.Err()
		}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	candidates := 0
	for _, n := range y.nodes {
		if slices.Contains(exclude, n) {
			continue
		}
		candidates++
		if !y.taken[n] && !y.full[n] {
			y.taken[n] = true
			y.chosen = append(y.chosen, n)
			return Placement{Node: n, Score: 1}, nil
		}
	}
	if candidates > 0 {
		return Placement{}, ErrBusy
	}
	return Placement{}, errNobody
}

func (y *yard) Done(p Placement, out mesh.JobOutcome, _ error) {
	y.mu.Lock()
	y.taken[p.Node] = false
	y.full[p.Node] = out.Code == mesh.JobBusy
	y.mu.Unlock()
	if out.Code != mesh.JobBusy {
		y.m.Kick()
	}
}

func (y *yard) Run(ctx context.Context, a governance.Admitted, p Placement) (mesh.JobOutcome, error) {
	y.mu.Lock()
	y.order = append(y.order, a.Job().ID)
	y.running++
	y.mu.Unlock()
	defer func() {
		y.mu.Lock()
		y.running--
		y.mu.Unlock()
	}()
	if y.behave == nil {
		return mesh.JobOutcome{Node: p.Node}, nil
	}
	return y.behave(ctx, a.Job(), p.Node)
}

// ran lists the jobs that ran, in order.
func (y *yard) ran() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.order)
}

// runs counts the copies that run now.
func (y *yard) runs() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.running
}

// works takes d and ends with ctx.
func works(d time.Duration) func(context.Context, governance.Job, identity.PeerID) (mesh.JobOutcome, error) {
	return func(ctx context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
		select {
		case <-time.After(d):
			return mesh.JobOutcome{Node: n}, nil
		case <-ctx.Done():
			return mesh.JobOutcome{Code: mesh.JobCancelled}, mesh.ContextError(ctx)
		}
	}
}

// serve runs a Matchmaker over y in a synctest bubble.
func serve(t *testing.T, y *yard, c Config) *Matchmaker {
	t.Helper()
	c.Chooser, c.Runner = y, y
	m, err := New(c)
	require.NoError(t, err)
	y.m = m
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return m
}
