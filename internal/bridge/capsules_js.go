package bridge

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
	"time"

	"github.com/google/uuid"

	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/identity"
	"inos/internal/library"
)

// publish answers inos.publish(name, wasm, options): it takes in a capsule of the caller's own.
func (a *api) publish(_ context.Context, args []js.Value) (any, error) {
	name, err := text("publish", "name", arg(args, 0))
	if err != nil {
		return nil, err
	}
	wasm, err := bytesFromJS("publish", "wasm", arg(args, 1))
	if err != nil {
		return nil, err
	}
	var opts console.PublishOptions
	if err := object("publish", "options", arg(args, 2), &opts); err != nil {
		return nil, err
	}
	publish := a.cfg.Library.Publish
	if opts.Replace {
		publish = a.cfg.Library.Replace
	}
	cid, err := publish(name, wasm)
	if errors.Is(err, library.ErrTaken) {
		err = fmt.Errorf("publish: %w; choose another name, or publish with {replace: true} to give it to this capsule", err)
	}
	if err != nil {
		return nil, err
	}
	return console.Published{Name: name, CID: cid.String(), Bytes: len(wasm)}, nil
}

func (a *api) spawn(ctx context.Context, args []js.Value) (any, error) {
	name, err := text("spawn", "nameOrCid", arg(args, 0))
	if err != nil {
		return nil, err
	}
	var opts console.SpawnOptions
	if err := object("spawn", "options", arg(args, 1), &opts); err != nil {
		return nil, err
	}
	cid, err := a.cfg.Library.Resolve(name)
	if err != nil {
		return nil, err
	}
	params, err := spawnParams(opts, cid)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, identity.PeerID(opts.Node), capsule.Command{Type: capsule.Spawn, Spawn: params})
}

func (a *api) kill(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "kill", args, capsule.Command{Type: capsule.Kill, Kill: &capsule.KillParams{Reason: "inos.kill"}})
}

func (a *api) pause(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "pause", args, capsule.Command{Type: capsule.Pause})
}

func (a *api) resume(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "resume", args, capsule.Command{Type: capsule.Resume})
}

// snapshot answers inos.snapshot(capsuleId) for a paused capsule. A spawn of the snapshot's CID,
// here, continues where the capsule stood.
func (a *api) snapshot(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "snapshot", args, capsule.Command{Type: capsule.Snapshot, Snapshot: &capsule.SnapshotParams{Compress: true}})
}

func (a *api) resize(ctx context.Context, args []js.Value) (any, error) {
	want := arg(args, 1)
	if want.Type() != js.TypeNumber || want.Float() < 0 || want.Float() > 1<<40 {
		return nil, badArgument("resize", "bytes", "a number of bytes", kindOf(want))
	}
	return a.target(ctx, "resize", args, capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: uint64(want.Float())}})
}

func (a *api) target(ctx context.Context, verb string, args []js.Value, cmd capsule.Command) (any, error) {
	address, err := text(verb, "capsuleId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	node, id := capsuleAddress(address)
	cmd.Target = id
	return a.command(ctx, node, cmd)
}

// command sends cmd to a node, this one when it is empty, and turns a reply that is not OK into an error.
func (a *api) command(ctx context.Context, node identity.PeerID, cmd capsule.Command) (any, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	cmd.ID, cmd.Timestamp = id.String(), time.Now()
	reply, err := a.cfg.Kernel.Command(ctx, node, cmd)
	if err != nil {
		return nil, err
	}
	if reply.Code != capsule.OK {
		return nil, replyError(reply)
	}
	return console.LifecycleReply{CapsuleID: addressOf(node, a.cfg.Kernel.Self(), reply.CapsuleID), Code: replyCode(reply.Code), Message: reply.Message,
		MemoryBytes: reply.MemoryBytes, MemoryEpoch: reply.MemoryEpoch, SnapshotCID: reply.SnapshotCID}, nil
}
