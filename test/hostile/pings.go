//go:build unix

package main

import (
	"context"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh/p2p"
)

// pingEvery is the time between the honest peer's pings, and between samples of the memory.
const pingEvery = 20 * time.Millisecond

// pings are the pings of an honest peer, which pings a node all the time, and the samples of that
// node's memory.
type pings struct {
	stop    context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	slowest time.Duration // of all pings since forget
	lost    error         // the first ping that failed
	memory  uint64        // the most resident memory since then, in bytes
}

// ping pings peer by m and samples resident, until end.
func (p *pings) ping(ctx context.Context, m *p2p.Mesh, peer identity.PeerID, resident func() uint64) {
	ctx, p.stop = context.WithCancel(ctx)
	p.working.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			_, err := m.Ping(ctx, peer)
			took := time.Since(began)
			if ctx.Err() != nil {
				return
			}
			p.mu.Lock()
			p.slowest = max(p.slowest, took)
			if err != nil && p.lost == nil {
				p.lost = err
			}
			p.mu.Unlock()
			pause(ctx, pingEvery)
		}
	})
	p.working.Go(func() {
		for ctx.Err() == nil {
			now := resident()
			p.mu.Lock()
			p.memory = max(p.memory, now)
			p.mu.Unlock()
			pause(ctx, pingEvery)
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pinged is the slowest ping until now.
func (p *pings) pinged() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slowest, p.lost
}

func (p *pings) mostMemory() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory
}

// forget resets the measurements.
func (p *pings) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest, p.memory = 0, 0
}

// end stops the pings and waits for that.
func (p *pings) end() {
	if p.stop != nil {
		p.stop()
	}
	p.working.Wait()
}
