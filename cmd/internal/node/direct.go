package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"inos/internal/capsule"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/wire"
)

// direct runs capsules without supervision: a stand-in while the supervisor lands.
type direct struct {
	rt  capsule.Runtime
	lib *library.Library
	mu  sync.Mutex
	n   int
	all map[string]*capsule.Capsule
	cid map[string]capsule.CID
}

func (d *direct) Serve(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (d *direct) open(ctx context.Context, cid capsule.CID, limit uint64) (*capsule.Capsule, error) {
	wasm, _, err := d.lib.Get(ctx, cid)
	if err != nil {
		return nil, err
	}
	m, err := d.rt.Compile(ctx, wasm)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.n++
	id := fmt.Sprintf("c%d", d.n)
	d.mu.Unlock()
	c, err := capsule.Open(ctx, m, capsule.Config{ID: id, Codec: wire.Capsules{}, MemoryLimit: limit})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.all[id], d.cid[id] = c, cid
	d.mu.Unlock()
	return c, nil
}

func (d *direct) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
	if cmd.Type == capsule.Spawn {
		cid, err := capsule.ParseCID(cmd.Spawn.CID)
		if err != nil {
			return capsule.Reply{}, err
		}
		c, err := d.open(ctx, cid, cmd.Spawn.MemoryLimit)
		if err != nil {
			return capsule.Reply{}, err
		}
		return capsule.Reply{ID: cmd.ID, CapsuleID: c.ID(), MemoryBytes: c.MemoryBytes(), MemoryEpoch: c.Epoch(), Timestamp: time.Now()}, nil
	}
	d.mu.Lock()
	c := d.all[cmd.Target]
	d.mu.Unlock()
	if c == nil {
		return capsule.Reply{ID: cmd.ID, Code: capsule.UnknownCapsule, Message: "no capsule " + cmd.Target}, nil
	}
	return c.Command(ctx, cmd)
}

func (d *direct) Run(ctx context.Context, cid capsule.CID, l kernel.Limits, t capsule.Task, p func(done, total uint64)) ([]byte, error) {
	d.mu.Lock()
	var c *capsule.Capsule
	for id, have := range d.all {
		if d.cid[id] == cid && have.Err() == nil {
			c = have
		}
	}
	d.mu.Unlock()
	if c == nil {
		var err error
		if c, err = d.open(ctx, cid, l.MemoryBytes); err != nil {
			return nil, err
		}
	}
	return c.Run(ctx, t, func(pr capsule.Progress) {
		if p != nil {
			p(pr.Done, pr.Total)
		}
	})
}

func (d *direct) List() []kernel.CapsuleInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []kernel.CapsuleInfo
	for id, c := range d.all {
		out = append(out, kernel.CapsuleInfo{ID: id, CID: d.cid[id].String(), State: "healthy", Heartbeat: c.LastHeartbeat()})
	}
	return out
}
