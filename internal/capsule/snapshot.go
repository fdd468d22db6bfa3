package capsule

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Snapshot copies the memory of a paused capsule. cmd is the Snapshot command it
// answers: the Reply is always filled in, as Command's is, but for SnapshotCID.
// The code is InvalidState when the capsule is not paused or has work in flight:
// a job's stack lives in the engine and cannot be copied, so images are taken
// between jobs. Stream data that Send has handed over is part of the image. The
// capsule stands still while it is copied and then is paused as before.
func (c *Capsule) Snapshot(ctx context.Context, cmd Command) (*Image, Reply, error) {
	now := time.Now()
	if cmd.Deadline.IsZero() {
		cmd.Deadline = now.Add(c.cfg.CommandTimeout)
	}
	if cmd.Timestamp.IsZero() {
		cmd.Timestamp = now
	}
	ctx, cancel := context.WithDeadlineCause(ctx, cmd.Deadline, ErrDeadline)
	defer cancel()
	none := func(r Reply, err error) (*Image, Reply, error) { return nil, r, err }
	select {
	case c.snapshotting <- struct{}{}:
		defer func() { <-c.snapshotting }()
	case <-c.dead:
		return none(c.crashed(cmd))
	case <-ctx.Done():
		return none(c.late(ctx, cmd))
	}
	request, busy, err := c.freeze()
	switch {
	case err != nil:
		return none(c.crashed(cmd))
	case busy != "":
		return nil, c.reply(cmd, InvalidState, busy), nil
	}
	defer c.thaw()
	for {
		answer, err := c.mem.Load32(c.inst.Control() + OffFrozen)
		if err != nil {
			return nil, c.reply(cmd, Crashed, err.Error()), c.gone(err)
		}
		if answer>>2 == request {
			switch answer & 3 {
			case FreezeNotPaused:
				return nil, c.reply(cmd, InvalidState, "it is not paused"), nil
			case FreezeInJob:
				return nil, c.reply(cmd, InvalidState, "it is within a job: its stack is the engine's, not the memory's"), nil
			}
			break
		}
		select {
		case <-c.turned:
		case <-c.dead:
			return none(c.crashed(cmd))
		case <-ctx.Done():
			return none(c.late(ctx, cmd))
		}
	}
	im, err := c.copy(ctx)
	if err != nil {
		if c.reason() != nil {
			return none(c.crashed(cmd))
		}
		return none(c.late(ctx, cmd))
	}
	return im, c.reply(cmd, OK, ""), nil
}

// freeze holds the command ring and asks the capsule to stand still. busy says
// what is in the way.
func (c *Capsule) freeze() (request uint32, busy string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed:
		return 0, "", c.err
	case len(c.tasks) > 0:
		return 0, fmt.Sprintf("%d jobs are in flight", len(c.tasks)), nil
	case len(c.commands) > 0:
		return 0, fmt.Sprintf("%d commands are in flight", len(c.commands)), nil
	}
	c.held = true
	c.freezes = c.freezes%(1<<30-1) + 1
	if err := c.mem.Store32(c.inst.Control()+OffFreeze, c.freezes); err != nil {
		return 0, "", err
	}
	return c.freezes, "", c.cb.commands.knock()
}

// thaw lets the capsule and its command ring go on.
func (c *Capsule) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	if c.failed {
		return
	}
	// Only a dead capsule has no memory.
	if c.mem.Store32(c.inst.Control()+OffFreeze, 0) == nil {
		_ = c.cb.commands.knock()
	}
	c.nudge()
}

// copyStride is how much is copied between two looks at the deadline.
const copyStride = 1 << 20

// copy reads the memory, leaving out blocks of zeros.
func (c *Capsule) copy(ctx context.Context) (*Image, error) {
	im := &Image{ABI: c.cb.abi, CapsuleCID: c.info.CID, Epoch: c.Epoch(), MemoryBytes: c.mem.Len()}
	var zeros [ImageBlock]byte
	buf := make([]byte, copyStride)
	for at := uint64(0); at < im.MemoryBytes; at += copyStride {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		part := buf[:min(copyStride, im.MemoryBytes-at)]
		if err := c.mem.Read(uint32(at), part); err != nil {
			return nil, c.gone(err)
		}
		for i := 0; i < len(part); i += ImageBlock {
			if block := part[i : i+ImageBlock]; !bytes.Equal(block, zeros[:]) {
				im.Blocks = append(im.Blocks, Block{Index: uint32((at + uint64(i)) / ImageBlock), Bytes: bytes.Clone(block)})
			}
		}
	}
	return im, nil
}
