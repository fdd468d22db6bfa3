package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/testkit/blobs"
)

// fakeMesh is a mesh of peers that are only profiles: it does at once whatever job
// it is handed, and counts what it is asked.
type fakeMesh struct {
	peers  []mesh.Peer
	events chan mesh.Event
	forger identity.PeerID // returns other bytes than it names
	// answers are what some peers say instead of doing the job.
	answers map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error)

	mu    sync.Mutex
	calls map[string]int
	ran   []identity.PeerID
	// fetched are those asked for a capsule.
	fetched []identity.PeerID
}

func newFakeMesh(peers []mesh.Peer) *fakeMesh {
	return &fakeMesh{peers: peers, events: make(chan mesh.Event), calls: make(map[string]int)}
}

func (c *fakeMesh) count(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
}

func (c *fakeMesh) Self() identity.PeerID { return testkit.NamedPeer("home") }
func (c *fakeMesh) Addrs() []string       { return nil }
func (c *fakeMesh) Peers() []mesh.Peer    { return c.peers }

func (c *fakeMesh) Events() <-chan mesh.Event { return c.events }
func (c *fakeMesh) Close() error              { return nil }

func (c *fakeMesh) Connect(context.Context, string) (identity.PeerID, error) {
	c.count("Connect")
	return "", mesh.ErrUnreachable
}

func (c *fakeMesh) Publish(context.Context, mesh.Profile) error {
	c.count("Publish")
	return nil
}

func (c *fakeMesh) Find(context.Context, string) ([]mesh.Profile, error) {
	c.count("Find")
	return nil, nil
}

func (c *fakeMesh) Ping(_ context.Context, p identity.PeerID) (time.Duration, error) {
	for _, peer := range c.peers {
		if peer.Profile.Peer == p {
			return peer.RTT, nil
		}
	}
	return 0, mesh.ErrUnreachable
}

func (c *fakeMesh) RunJob(ctx context.Context, p identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error) {
	c.count("RunJob")
	c.mu.Lock()
	c.ran = append(c.ran, p)
	c.mu.Unlock()
	out := mesh.JobOutcome{JobID: call.Job.ID, Node: p, Output: call.Input, OutputCID: capsule.SumCID(call.Input).String(), Receipt: []byte("receipt")}
	if answer := c.answers[p]; answer != nil {
		return answer(ctx, call)
	}
	if p == c.forger {
		out.Output = []byte("something else")
	}
	return out, nil
}

func (c *fakeMesh) Command(context.Context, identity.PeerID, mesh.CommandCall) (capsule.Reply, error) {
	c.count("Command")
	return capsule.Reply{}, mesh.ErrUnreachable
}

func (c *fakeMesh) FetchCapsule(_ context.Context, p identity.PeerID, _ mesh.FetchCall) (mesh.Blob, error) {
	c.count("FetchCapsule")
	c.mu.Lock()
	c.fetched = append(c.fetched, p)
	c.mu.Unlock()
	return mesh.Blob{}, mesh.ErrNotFound
}

var _ mesh.Mesh = (*fakeMesh)(nil)

var peerCapabilities = []string{"gpu", "simd", "threads", "realtime", "storage"}

// randomPeers makes n peers with varied latencies, prices, places and
// capabilities.
func randomPeers(rng *rand.Rand, n int) []mesh.Peer {
	peers := make([]mesh.Peer, n)
	for i := range peers {
		p := mesh.Profile{
			Peer: identity.PeerID(fmt.Sprintf("12D3KooWpeer%06d", i)), Kind: "native",
			GeoHash:    string("0123456789bcdefg"[rng.IntN(16)]) + string("0123456789bcdefg"[rng.IntN(16)]),
			CreditCost: 1 + rng.Uint64N(1000), FreeSlots: rng.Uint32N(5),
			Expires: time.Now().Add(time.Duration(20+rng.IntN(20)) * time.Minute), Sequence: 1,
		}
		for _, c := range peerCapabilities {
			if rng.IntN(2) == 0 {
				p.Capabilities = append(p.Capabilities, c)
			}
		}
		rtt := time.Duration(1 + rng.Int64N(int64(400*time.Millisecond)))
		// Measured earlier and not connected now: no ping is due.
		peers[i] = mesh.Peer{Profile: p, RTT: rtt}
	}
	return peers
}

func randomNeeds(rng *rand.Rand, peers []mesh.Peer) governance.Requirements {
	var r governance.Requirements
	for _, c := range peerCapabilities {
		if rng.IntN(4) == 0 {
			r.Capabilities = append(r.Capabilities, c)
		}
	}
	if rng.IntN(3) == 0 {
		r.MaxCost = 1 + rng.Uint64N(500)
	}
	if rng.IntN(4) == 0 {
		r.GeoPrefix = peers[rng.IntN(len(peers))].Profile.GeoHash[:1+rng.IntN(2)]
	}
	for range rng.IntN(4) {
		r.Exclude = append(r.Exclude, string(peers[rng.IntN(len(peers))].Profile.Peer))
	}
	return r
}

// scan is the brute force: the highest score of contracts.md, section 4, among
// the peers that meet r, 0 when none does.
func scan(peers []mesh.Peer, r governance.Requirements, now time.Time) (best float64) {
	for _, p := range peers {
		if meets(p.Profile, r, now) {
			best = max(best, score(p))
		}
	}
	return best
}

func score(p mesh.Peer) float64 {
	return (1000 / max(float64(p.RTT)/float64(time.Millisecond), 0.1)) * (1 / float64(max(p.Profile.CreditCost, 1)))
}

func meets(p mesh.Profile, r governance.Requirements, now time.Time) bool {
	for _, c := range r.Capabilities {
		if !slices.Contains(p.Capabilities, c) {
			return false
		}
	}
	return p.FreeSlots > 0 && p.Expires.After(now) && strings.HasPrefix(p.GeoHash, r.GeoPrefix) &&
		(r.MaxCost == 0 || p.CreditCost <= r.MaxCost) && !slices.Contains(r.Exclude, string(p.Peer))
}

// startOn runs a kernel without slots of its own on m, in a bubble, and returns
// when it has taken in m's peers.
func startOn(t *testing.T, m mesh.Mesh, change func(*Config)) *Kernel {
	gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{testkit.NamedLedger("payer"): 1_000_000}})
	require.NoError(t, err)
	cfg := Config{
		Self: testkit.NamedPeer("home"), Kind: "browser", Slots: -1, CreditCost: 1,
		Gate: gate, Capsules: &fakeCapsules{}, Blobs: &blobs.Store{},
	}
	if change != nil {
		change(&cfg)
	}
	k, err := New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Run(ctx, m) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return k
}
