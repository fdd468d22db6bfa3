package matchmaker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

var payer = testkit.Ledger(0)

type admitted = governance.Admitted

// submitted is a Job that carries nothing else.
type submitted struct{ admitted }

func (s submitted) Admitted() governance.Admitted { return s.admitted }

// admit passes a job through a real gate: there is no other way to get one.
func admit(t *testing.T, change func(*governance.Job)) submitted {
	t.Helper()
	g, err := governance.New(governance.Config{Ledgers: testkit.Balances{payer: 1 << 40}})
	require.NoError(t, err)
	job := governance.Job{ID: testkit.UUID(), Capsule: "c", Deadline: time.Now().Add(time.Hour)}
	if change != nil {
		change(&job)
	}
	a, err := g.Admit(governance.Request{
		Envelope: governance.Envelope{
			ID: testkit.UUID(), Type: "inos:dispatch:v1", Timestamp: time.Now(),
			Metadata: governance.Metadata{CreditLedgerID: string(payer)},
		},
		Job: job,
	}, time.Now())
	require.NoError(t, err)
	return submitted{a}
}

// nodePool is a Chooser and a Runner over named nodes with a slot each. It works:
// slots are taken and returned, excluded nodes are not chosen.
type nodePool struct {
	strangers bool // none of them has done a job before
	own       bool // they are this node itself
	mu        sync.Mutex
	nodes     []identity.PeerID // best first
	taken     map[identity.PeerID]bool
	full      map[identity.PeerID]bool
	behave    func(ctx context.Context, job governance.Job, node identity.PeerID) (mesh.JobOutcome, error)
	stall     int           // the attempt whose choice takes until its end, 0: none
	late      bool          // it finds a node all the same
	looks     int           // jobs that are looked for first, until the end when below 0
	forget    bool          // that a node is busy
	vacant    bool          // where nobody is, somebody may come
	slow      time.Duration // what a choice for a second attempt takes
	placing   func()
	m         *Matchmaker
	sizes     []int // of batches
	chosen    []identity.PeerID
	given     []string // job ids in the order in which they got a node
	order     []string // job ids in the order in which they ran
	running   int
	roomy     identity.PeerID          // has slots without end
	talks     map[identity.PeerID]bool // reports progress every second
}

func newNodePool(nodes ...identity.PeerID) *nodePool {
	return &nodePool{nodes: nodes, taken: map[identity.PeerID]bool{}, full: map[identity.PeerID]bool{}, talks: map[identity.PeerID]bool{}}
}

// outcome shortens signatures.
type outcome = mesh.JobOutcome

var errNobody = fmt.Errorf("node pool: nobody")

func (y *nodePool) Choose(ctx context.Context, jobs []Waiting) []Choice {
	if y.placing != nil {
		defer y.placing()
	}
	if jobs[0].Attempt == 2 {
		time.Sleep(y.slow)
	}
	if jobs[0].Attempt == y.stall {
		<-ctx.Done()
		if !y.late {
			return nil
		}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sizes = append(y.sizes, len(jobs))
	out := make([]Choice, len(jobs))
	for i, w := range jobs {
		out[i].Placement, out[i].Err = y.chooseOne(w)
	}
	return out
}

func (y *nodePool) chooseOne(w Waiting) (Placement, error) {
	if y.looks != 0 {
		y.looks--
		if y.vacant {
			return Placement{}, fmt.Errorf("%w: %w: %w", ErrLook, ErrNobody, errNobody)
		}
		return Placement{}, ErrLook
	}
	candidates := 0
	for _, n := range y.nodes {
		if slices.Contains(w.Exclude, n) || slices.Contains(w.Job.Admitted().Job().Requirements.Exclude, string(n)) {
			continue
		}
		candidates++
		if !y.taken[n] && !y.full[n] {
			y.taken[n] = n != y.roomy
			y.chosen = append(y.chosen, n)
			y.given = append(y.given, w.Job.Admitted().Job().ID)
			return Placement{Node: n, Score: 1, Known: !y.strangers, Own: y.own}, nil
		}
	}
	if candidates > 0 {
		return Placement{}, ErrBusy
	}
	if y.vacant {
		return Placement{}, fmt.Errorf("%w: %w", ErrNobody, errNobody)
	}
	return Placement{}, errNobody
}

// Look takes a second, or until the end.
func (y *nodePool) Look(ctx context.Context, _ Waiting) {
	y.mu.Lock()
	endless := y.looks < 0
	y.mu.Unlock()
	if endless {
		<-ctx.Done()
		return
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}

func (y *nodePool) Done(p Placement, out mesh.JobOutcome, _ error) {
	y.mu.Lock()
	y.taken[p.Node] = false
	y.full[p.Node] = out.Code == mesh.JobBusy && !y.forget
	y.mu.Unlock()
	if out.Code != mesh.JobBusy {
		y.m.Kick()
	}
}

func (y *nodePool) Run(ctx context.Context, job Job, p Placement, alive func()) (mesh.JobOutcome, error) {
	y.mu.Lock()
	y.order = append(y.order, job.Admitted().Job().ID)
	y.running++
	y.mu.Unlock()
	defer func() {
		y.mu.Lock()
		y.running--
		y.mu.Unlock()
	}()
	if y.talks[p.Node] {
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					alive()
				case <-stop:
					return
				}
			}
		}()
	}
	if y.behave == nil {
		return mesh.JobOutcome{Node: p.Node}, nil
	}
	return y.behave(ctx, job.Admitted().Job(), p.Node)
}

// ran lists the jobs that ran, in order.
func (y *nodePool) ran() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.order)
}

// placedOrder lists the jobs that got a node, in order.
func (y *nodePool) placedOrder() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.given)
}

// runs counts the copies that run now.
func (y *nodePool) runs() int {
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
func serve(t *testing.T, y *nodePool, c Config) *Matchmaker {
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
