package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// maxLocations bounds the remembered places of snapshots on other nodes.
const maxLocations = 1024

// locations are the nodes with the snapshots that this node's commands have made elsewhere.
// The oldest is forgotten past maxLocations.
type locations struct {
	mu    sync.Mutex
	at    map[capsule.CID]identity.PeerID
	order []capsule.CID
}

func (o *locations) add(cid capsule.CID, at identity.PeerID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == nil {
		o.at = make(map[capsule.CID]identity.PeerID)
	}
	if _, ok := o.at[cid]; !ok {
		if len(o.order) == maxLocations {
			delete(o.at, o.order[0])
			o.order = o.order[1:]
		}
		o.order = append(o.order, cid)
	}
	o.at[cid] = at
}

func (o *locations) find(cid capsule.CID) (at identity.PeerID, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok = o.at[cid]
	return at, ok
}

// locate remembers the node of a snapshot that a command of this node has made.
func (m *Modules) locate(node identity.PeerID, cmd capsule.Command, r capsule.Reply) {
	if cmd.Type != capsule.Snapshot || r.Code != capsule.OK {
		return
	}
	if cid, err := capsule.ParseCID(r.SnapshotCID); err == nil {
		m.snapshots.add(cid, node)
	}
}

// gather fetches the module or the snapshot that a Spawn names, if it is not on this node:
// from the node that gave the command, or from the node where this one had the snapshot made.
// The supervisor refuses what there is no node to ask for. The module stays until release is
// called.
func (m *Modules) gather(ctx context.Context, from identity.PeerID, origin string, cmd capsule.Command) (release func(), err error) {
	var pins []func()
	release = func() {
		for _, unpin := range pins {
			unpin()
		}
	}
	pin := func(cid capsule.CID) { pins = append(pins, m.cfg.Blobs.Pin(cid, origin)) }
	return release, m.gatherAll(ctx, from, cmd, pin)
}

func (m *Modules) gatherAll(ctx context.Context, from identity.PeerID, cmd capsule.Command, pin func(capsule.CID)) error {
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil || len(cmd.Spawn.Wasm) > 0 {
		return nil
	}
	cid, err := capsule.ParseCID(cmd.Spawn.CID)
	if err != nil {
		return nil
	}
	pin(cid)
	if m.cfg.Blobs.Has(cid) {
		if from != "" && m.lacksPublisher(ctx, from, cid) {
			_, _ = m.fetch(ctx, from, cid) // in vain: the gate says no, as it would have
		}
		return nil
	}
	image, kept, err := m.image(ctx, cid)
	if err != nil {
		return err
	}
	if from == "" {
		var known bool
		if from, known = m.snapshots.find(cid); !known {
			return nil
		}
	}
	if !kept {
		if image, err = m.fetch(ctx, from, cid); err != nil || image == nil {
			return err
		}
	}
	im, err := capsule.DecodeImage(image, imageLimit)
	if err != nil {
		return err
	}
	pin(im.CapsuleCID)
	if m.cfg.Blobs.Has(im.CapsuleCID) {
		return nil
	}
	_, err = m.fetch(ctx, from, im.CapsuleCID)
	return err
}

// byCID is a Spawn for another node without the bytes of its module or snapshot. They are
// stored here for that node to fetch, so that its gate decides before they travel.
func (m *Modules) byCID(ctx context.Context, cmd capsule.Command) (capsule.Command, error) {
	b := cmd.Spawn.Wasm
	if len(b) == 0 || m.cfg.Snapshots == nil {
		return cmd, nil
	}
	cid := capsule.SumCID(b)
	switch {
	case capsule.IsImage(b):
		if err := m.cfg.Snapshots.PutImage(ctx, cid, b); err != nil {
			return cmd, err
		}
	case !m.cfg.Blobs.Has(cid):
		blob, err := m.cfg.Snapshots.Seal("spawned", b)
		if err == nil {
			err = m.cfg.Blobs.Accept(blob)
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

// checkSize checks the module or the snapshot of a Spawn for another node, as far as it
// is here. Errors match mesh.ErrTooBig.
func (m *Modules) checkSize(ctx context.Context, spawn *capsule.SpawnParams) error {
	if len(spawn.Wasm) > 0 {
		return mesh.Travels(spawn.Wasm)
	}
	cid, err := capsule.ParseCID(spawn.CID)
	if err != nil || m.cfg.Blobs.Has(cid) {
		return nil // what is no CID is refused there, and what is published here can travel
	}
	image, kept, err := m.image(ctx, cid)
	if err != nil || !kept {
		return err
	}
	return mesh.Travels(image)
}

// imageLimit is the longest memory of a snapshot taken in here, in bytes.
const imageLimit = 1 << 30

// image finds a snapshot that is stored here.
func (m *Modules) image(ctx context.Context, cid capsule.CID) (image []byte, ok bool, err error) {
	if m.cfg.Snapshots == nil {
		return nil, false, nil
	}
	return m.cfg.Snapshots.GetImage(ctx, cid)
}

// fetch gets a module or a snapshot from another node and stores it; image is nil
// for a module. Errors match ErrFetch.
func (m *Modules) fetch(ctx context.Context, from identity.PeerID, cid capsule.CID) (image []byte, err error) {
	peers, err := m.cfg.Node.Mesh()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	call, room := m.FetchCall(ctx, cid)
	defer room.End()
	blob, err := peers.FetchCapsule(ctx, from, call)
	room.End() // who keeps it takes its own
	switch {
	case err != nil:
	case capsule.SumCID(blob.Wasm) != cid:
		err = fmt.Errorf("bytes are not those of %s", cid)
	case !capsule.IsImage(blob.Wasm):
		err = m.cfg.Blobs.Accept(blob)
	case m.cfg.Snapshots == nil:
		err = fmt.Errorf("snapshots: %w", errors.ErrUnsupported)
	default:
		image, err = blob.Wasm, m.cfg.Snapshots.PutImage(ctx, cid, blob.Wasm)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	return image, nil
}

// HandleFetch returns a capsule or a snapshot that this node has. A node that knows a
// snapshot's CID was told it by the one that had it made. A caller whose DNA is not in order
// is told that there is none. It implements mesh.Handler.
func (s *Service) HandleFetch(ctx context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	if err := s.cfg.Node.Pass(call.Envelope, mesh.FetchType); err != nil {
		return mesh.Blob{}, false
	}
	if s.cfg.Blobs.Has(call.CID) {
		blob, err := s.cfg.Blobs.Capsule(ctx, call.CID)
		return blob, err == nil
	}
	image, ok, err := s.modules.image(ctx, call.CID)
	if err != nil || !ok {
		return mesh.Blob{}, false
	}
	blob, err := s.cfg.Snapshots.Seal("snapshot", image)
	return blob, err == nil
}
