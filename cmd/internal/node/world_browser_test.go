//go:build js && browser

package node

import (
	"context"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule/sab"
	"inos/internal/identity"
	"inos/internal/jsinterop"
	"inos/internal/kernel"
	"inos/internal/mesh/inproc"
	"inos/internal/testkit"
)

// page is a world within one page of a browser: whole nodes with capsules in Workers, on
// a mesh in memory.
type page struct {
	ctx      context.Context
	net      *inproc.Network
	runtimes []*sab.Runtime
	ended    []chan error
	stop     context.CancelFunc
}

func newPage(t *testing.T) *page {
	p := &page{net: inproc.New(inproc.Config{})}
	p.ctx, p.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		p.stop()
		for _, e := range p.ended {
			<-e
		}
		for _, rt := range p.runtimes {
			require.NoError(t, rt.Close())
		}
		p.net.Close()
	})
	return p
}

// enter adds a node. slots as in Config.
func (p *page) enter(t *testing.T, seed byte, slots int) *Node {
	key := testkit.Key(seed)
	rt := sab.New(sab.Config{})
	p.runtimes = append(p.runtimes, rt)
	n, err := New(Config{Key: key, Name: "test", Kind: "browser", CreditCost: 1000, Slots: slots, Runtime: rt, Allowance: 1_000_000_000,
		StrangerLine: 1_000_000_000, PublishEvery: time.Second, PingEvery: time.Second})
	require.NoError(t, err)
	m, err := p.net.Join(key, n.Kernel)
	require.NoError(t, err)
	end := make(chan error, 1)
	go func() { end <- n.Run(p.ctx, m) }()
	p.ended = append(p.ended, end)
	return n
}

// customer adds a node without slots, which has heard of the workers.
func (p *page) customer(t *testing.T, seed byte, workers ...*Node) *Node {
	c := p.enter(t, seed, -1)
	events, cancel := c.Kernel.Subscribe(1 << 10)
	defer cancel()
	for heard := map[identity.PeerID]bool{}; len(heard) < len(workers); {
		if e, ok := (<-events).(kernel.NodeHeard); ok && e.Profile.FreeSlots > 0 {
			heard[e.Profile.Peer] = true
		}
	}
	return c
}

// pageCapsule is the bytes of a capsule that the page was given.
func pageCapsule(name string) []byte {
	wasm, _ := jsinterop.Bytes(js.Global().Get("__capsules").Get(name))
	return wasm
}

// pageStat is a figure of the page's capsule host; see CapsuleControl in web/src/capsule/host.ts.
func pageStat(name string) int {
	return js.Global().Get("__inosCapsules").Call("stats").Get(name).Int()
}
