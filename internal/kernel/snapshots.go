package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Snapshots keeps images of capsules. Methods may block until ctx ends.
type Snapshots interface {
	// PutImage keeps an encoded capsule.Image under its CID. It may retain it.
	PutImage(ctx context.Context, cid capsule.CID, image []byte) error
	// GetImage finds one again; ok is false when there is none.
	GetImage(ctx context.Context, cid capsule.CID) (image []byte, ok bool, err error)
	// Seal makes of bytes that are no module a blob that another node can fetch and
	// check.
	Seal(name string, b []byte) (mesh.Blob, error)
}

// originsAtMost bounds the remembered places of snapshots on other nodes.
const originsAtMost = 1024

// origins remembers where the snapshots are that this node's commands have made
// elsewhere; past originsAtMost the oldest is forgotten.
type origins struct {
	mu    sync.Mutex
	at    map[capsule.CID]identity.PeerID
	order []capsule.CID
}

func (o *origins) note(cid capsule.CID, at identity.PeerID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == nil {
		o.at = make(map[capsule.CID]identity.PeerID)
	}
	if _, ok := o.at[cid]; !ok {
		if len(o.order) == originsAtMost {
			delete(o.at, o.order[0])
			o.order = o.order[1:]
		}
		o.order = append(o.order, cid)
	}
	o.at[cid] = at
}

func (o *origins) find(cid capsule.CID) (at identity.PeerID, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok = o.at[cid]
	return at, ok
}

// snapshotMade notes where a snapshot is that a command of this node has made.
func (k *Kernel) snapshotMade(node identity.PeerID, cmd capsule.Command, r capsule.Reply) {
	if cmd.Type != capsule.Snapshot || r.Code != capsule.OK {
		return
	}
	if cid, err := capsule.ParseCID(r.SnapshotCID); err == nil {
		k.origins.note(cid, node)
	}
}

// gather makes sure that what a Spawn names is on this node, module or snapshot. It
// is asked of from, whose command it is, or of the node where this one had the
// snapshot made. What cannot be had is left to the supervisor to refuse, unless
// there was somebody to ask. The module stays until over is called.
func (k *Kernel) gather(ctx context.Context, from identity.PeerID, origin string, cmd capsule.Command) (over func(), err error) {
	var pins []func()
	over = func() {
		for _, unpin := range pins {
			unpin()
		}
	}
	pin := func(cid capsule.CID) { pins = append(pins, k.cfg.Blobs.Pin(cid, origin)) }
	return over, k.gatherAll(ctx, from, cmd, pin)
}

func (k *Kernel) gatherAll(ctx context.Context, from identity.PeerID, cmd capsule.Command, pin func(capsule.CID)) error {
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil || len(cmd.Spawn.Wasm) > 0 {
		return nil
	}
	cid, err := capsule.ParseCID(cmd.Spawn.CID)
	if err != nil {
		return nil
	}
	pin(cid)
	if k.cfg.Blobs.Has(cid) {
		if from != "" && k.lacksPublisher(ctx, from, cid) {
			_, _ = k.fetch(ctx, from, cid) // in vain: the gate says no, as it would have
		}
		return nil
	}
	image, kept, err := k.image(ctx, cid)
	if err != nil {
		return err
	}
	if from == "" {
		var known bool
		if from, known = k.origins.find(cid); !known {
			return nil
		}
	}
	if !kept {
		if image, err = k.fetch(ctx, from, cid); err != nil || image == nil {
			return err
		}
	}
	im, err := capsule.DecodeImage(image, imageLimit)
	if err != nil {
		return err
	}
	pin(im.CapsuleCID)
	if k.cfg.Blobs.Has(im.CapsuleCID) {
		return nil
	}
	_, err = k.fetch(ctx, from, im.CapsuleCID)
	return err
}

// named is a Spawn for another node without the bytes of its module or snapshot, which
// are kept here for that node to fetch: its gate decides before they travel.
func (k *Kernel) named(ctx context.Context, cmd capsule.Command) (capsule.Command, error) {
	b := cmd.Spawn.Wasm
	if len(b) == 0 || k.cfg.Snapshots == nil {
		return cmd, nil
	}
	cid := capsule.SumCID(b)
	switch {
	case capsule.IsImage(b):
		if err := k.cfg.Snapshots.PutImage(ctx, cid, b); err != nil {
			return cmd, err
		}
	case !k.cfg.Blobs.Has(cid):
		blob, err := k.cfg.Snapshots.Seal("spawned", b)
		if err == nil {
			err = k.cfg.Blobs.Accept(blob)
		}
		if err != nil {
			return cmd, err
		}
	}
	spawn := *cmd.Spawn
	spawn.CID, spawn.Wasm = cid.String(), nil
	cmd.Spawn = &spawn
	return cmd, nil
}

// mayTravel checks the module or the snapshot of a Spawn for another node, as far as it
// is here. Errors match mesh.ErrTooBig.
func (k *Kernel) mayTravel(ctx context.Context, spawn *capsule.SpawnParams) error {
	if len(spawn.Wasm) > 0 {
		return mesh.Travels(spawn.Wasm)
	}
	cid, err := capsule.ParseCID(spawn.CID)
	if err != nil || k.cfg.Blobs.Has(cid) {
		return nil // what is no CID is refused there, and what is published here can travel
	}
	image, kept, err := k.image(ctx, cid)
	if err != nil || !kept {
		return err
	}
	return mesh.Travels(image)
}

// imageLimit is the longest memory of a snapshot taken in here, in bytes.
const imageLimit = 1 << 30

// image finds a snapshot that is kept here.
func (k *Kernel) image(ctx context.Context, cid capsule.CID) (image []byte, ok bool, err error) {
	if k.cfg.Snapshots == nil {
		return nil, false, nil
	}
	return k.cfg.Snapshots.GetImage(ctx, cid)
}

// fetch gets a module or a snapshot from another node and keeps it; image is nil
// for a module. Errors match errFetch.
func (k *Kernel) fetch(ctx context.Context, from identity.PeerID, cid capsule.CID) (image []byte, err error) {
	m, err := k.theMesh()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	call, room := k.fetchCall(ctx, cid)
	defer room.End()
	blob, err := m.FetchCapsule(ctx, from, call)
	room.End() // who keeps it takes its own
	switch {
	case err != nil:
	case capsule.SumCID(blob.Wasm) != cid:
		err = fmt.Errorf("bytes are not those of %s", cid)
	case !capsule.IsImage(blob.Wasm):
		err = k.cfg.Blobs.Accept(blob)
	case k.cfg.Snapshots == nil:
		err = fmt.Errorf("snapshots: %w", errors.ErrUnsupported)
	default:
		image, err = blob.Wasm, k.cfg.Snapshots.PutImage(ctx, cid, blob.Wasm)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	return image, nil
}

// fetchCall asks for a capsule with this node's DNA. What comes is leased in room, which the
// caller ends.
func (k *Kernel) fetchCall(ctx context.Context, cid capsule.CID) (call mesh.FetchCall, room *budget.Lease) {
	room = k.cfg.Memory.Lease(budget.Library)
	return mesh.FetchCall{Envelope: k.Message(ctx, mesh.FetchType), CID: cid, Room: room.Hold}, room
}

// HandleFetch hands out a capsule this node has, or a snapshot: whoever knows a
// snapshot's CID was told it by whoever had it made. Whose DNA is not in order is told
// that there is none. It implements mesh.Handler.
func (k *Kernel) HandleFetch(ctx context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	if err := k.pass(call.Envelope, mesh.FetchType); err != nil {
		return mesh.Blob{}, false
	}
	if k.cfg.Blobs.Has(call.CID) {
		blob, err := k.cfg.Blobs.Capsule(ctx, call.CID)
		return blob, err == nil
	}
	image, ok, err := k.image(ctx, call.CID)
	if err != nil || !ok {
		return mesh.Blob{}, false
	}
	blob, err := k.cfg.Snapshots.Seal("snapshot", image)
	return blob, err == nil
}
