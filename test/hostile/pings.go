//go:build unix

package main

import (
	"context"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh/p2p"
)

// pingEvery is how often the honest peer asks, and how often the memory is looked at.
const pingEvery = 20 * time.Millisecond

// pings are those of somebody honest, who asks a node all the time and looks at its memory.
type pings struct {
	stop    context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	slowest time.Duration // of all pings since they were forgotten
	lost    error         // the first ping that failed
	memory  uint64        // most that was resident since then, in bytes
}

// ping has m ask peer, and resident, until stop.
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

// forget begins anew.
func (p *pings) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest, p.memory = 0, 0
}

// end ends them and waits for that.
func (p *pings) end() {
	if p.stop != nil {
		p.stop()
	}
	p.working.Wait()
}
