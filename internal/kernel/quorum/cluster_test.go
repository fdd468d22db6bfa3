package quorum

import (
	"context"
	"errors"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// behaviour is how a node answers the n-th time that it is sent the job.
type behaviour func(ctx context.Context, n int) (out mesh.JobOutcome, err error)

// returns gives output after took, for 10 microcredits.
func returns(output string, took time.Duration) behaviour {
	return func(ctx context.Context, _ int) (mesh.JobOutcome, error) {
		select {
		case <-time.After(took):
			return mesh.JobOutcome{OutputCID: output, Cost: 10, Receipt: []byte("receipt")}, nil
		case <-ctx.Done():
			return mesh.JobOutcome{}, ctx.Err()
		}
	}
}

// fails ends with code at once, and claims cost for it if that is not 0.
func fails(code mesh.JobCode, cost uint64) behaviour {
	return func(context.Context, int) (mesh.JobOutcome, error) {
		out := mesh.JobOutcome{Code: code, Cost: cost}
		if cost > 0 {
			out.Receipt = []byte("receipt")
		}
		return out, nil
	}
}

// breaks ends with err and no answer.
func breaks(err error) behaviour {
	return func(context.Context, int) (mesh.JobOutcome, error) { return mesh.JobOutcome{}, err }
}

// first is b the first time, and then the rest.
func first(b, rest behaviour) behaviour {
	return func(ctx context.Context, n int) (mesh.JobOutcome, error) {
		if n == 0 {
			return b(ctx, n)
		}
		return rest(ctx, n)
	}
}

// cluster is nodes with one slot each, a payer and a record of outcomes, in memory.
type cluster struct {
	nodes map[identity.PeerID]behaviour

	mu           sync.Mutex
	taken        map[identity.PeerID]bool
	sent         map[identity.PeerID]int
	doubled      []identity.PeerID // whose slot was taken or given back twice
	promises     map[identity.PeerID]int
	paid         map[identity.PeerID]int
	refunded     map[identity.PeerID]int
	ended        map[identity.PeerID]error
	contradicted map[identity.PeerID]bool
	failed       map[identity.PeerID]bool
}

func newCluster(nodes map[identity.PeerID]behaviour) *cluster {
	return &cluster{
		nodes: nodes, taken: map[identity.PeerID]bool{}, sent: map[identity.PeerID]int{}, promises: map[identity.PeerID]int{},
		paid: map[identity.PeerID]int{}, refunded: map[identity.PeerID]int{}, ended: map[identity.PeerID]error{},
		contradicted: map[identity.PeerID]bool{}, failed: map[identity.PeerID]bool{},
	}
}

// group takes the slots of members.
func (c *cluster) group(members, spares []identity.PeerID) (g Group) {
	for _, id := range members {
		c.taken[id] = true
		g.Members = append(g.Members, matchmaker.Placement{Node: id, Price: 1})
	}
	for _, id := range spares {
		g.Spares = append(g.Spares, matchmaker.Placement{Node: id, Price: 1})
	}
	return g
}

func (c *cluster) run(replicas, agree int, runs *Runs) (*Run, error) {
	return New(Config{Replicas: replicas, Agree: agree, Nodes: c, Payer: c, Outcomes: c, Runs: runs})
}

func (c *cluster) Replicate(ctx context.Context, p matchmaker.Placement) (mesh.JobOutcome, bool, error) {
	c.mu.Lock()
	n := c.sent[p.Node]
	c.sent[p.Node]++
	c.promises[p.Node]++
	c.mu.Unlock()
	out, err := c.nodes[p.Node](ctx, n)
	out.Node = p.Node
	return out, true, err
}

func (c *cluster) Reserve(_ context.Context, p matchmaker.Placement) (matchmaker.Placement, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[p.Node] {
		return p, false
	}
	c.taken[p.Node] = true
	return p, true
}

func (c *cluster) Done(p matchmaker.Placement, _ mesh.JobOutcome, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.taken[p.Node] {
		c.doubled = append(c.doubled, p.Node)
	}
	delete(c.taken, p.Node)
}

func (c *cluster) Settle(_ context.Context, out *mesh.JobOutcome, _ time.Duration, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && out.Claims() {
		c.paid[out.Node]++
		return nil
	}
	c.refunded[out.Node]++
	out.Cost, out.Receipt = 0, nil
	return err
}

func (c *cluster) Withdraw(node identity.PeerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refunded[node]++
}

func (c *cluster) Ended(_ context.Context, node identity.PeerID, _ mesh.JobOutcome, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[node] = err
}

func (c *cluster) Contradicted(node identity.PeerID, _ error, _ time.Duration, _ bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.contradicted[node] = true
}

func (c *cluster) RecordFailure(node identity.PeerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[node] = true
}

// lied are the nodes recorded for a wrong result.
func (c *cluster) lied() (nodes []identity.PeerID) {
	for id, err := range c.ended {
		if errors.Is(err, mesh.ErrResult) {
			nodes = append(nodes, id)
		}
	}
	return nodes
}
