//go:build js && browser

package node

import (
	"context"
	"crypto/ed25519"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule/sab"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh/inproc"
)

// Whole nodes in a browser, with capsules in Workers, on a mesh within the page.
func TestNoCustomerMeetsAnother(t *testing.T) {
	net := inproc.New(inproc.Config{})
	defer net.Close()
	ctx, stop := context.WithCancel(context.Background())
	var ended []chan error
	defer func() {
		stop()
		for _, e := range ended {
			<-e
		}
	}()
	var runtimes []*sab.Runtime
	enter := func(seed byte, slots int) *Node {
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
		rt := sab.New(sab.Config{})
		runtimes = append(runtimes, rt)
		n, err := New(Config{Key: key, Name: "test", Kind: "browser", CreditCost: 1000, Slots: slots, Runtime: rt, Allowance: 1_000_000,
			StrangerLine: 1_000_000, PublishEvery: time.Second, PingEvery: time.Second})
		require.NoError(t, err)
		m, err := net.Join(key, n.Kernel)
		require.NoError(t, err)
		end := make(chan error, 1)
		go func() { end <- n.Run(ctx, m) }()
		ended = append(ended, end)
		return n
	}
	workers := []*Node{enter(1, 2), enter(2, 2), enter(3, 2)}
	customers := []*Node{enter(4, -1), enter(5, -1)}
	for _, c := range customers {
		events, cancel := c.Kernel.Subscribe(1 << 10)
		for heard := map[identity.PeerID]bool{}; len(heard) < len(workers); {
			if e, ok := (<-events).(kernel.NodeHeard); ok && e.Profile.FreeSlots > 0 {
				heard[e.Profile.Peer] = true
			}
		}
		cancel()
	}
	src := js.Global().Get("__capsules").Get("state")
	wasm := make([]byte, src.Get("length").Int())
	js.CopyBytesToGo(wasm, src)
	nobodyMeets(t, wasm, workers, customers[0], customers[1])
	require.Positive(t, js.Global().Get("__inosCapsules").Call("stats").Get("reused").Int(), "Workers served more than once")
	stop()
	for _, rt := range runtimes {
		require.NoError(t, rt.Close())
	}
}
