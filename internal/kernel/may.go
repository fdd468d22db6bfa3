package kernel

import (
	"context"
	"fmt"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// maySpawn asks the gate about the capsule that a Spawn would start here, whether it
// comes by CID, as bytes, or in a snapshot. Bytes without a manifest count as
// published by whoever sent them: the channel has authenticated that node. What is
// not here, or is no capsule, is left to the supervisor to refuse by its name.
func (k *Kernel) maySpawn(ctx context.Context, from identity.PeerID, spawn *capsule.SpawnParams) error {
	if from == "" {
		from = k.cfg.Self
	}
	m, publisher, ok := k.manifestOf(ctx, from, spawn)
	if !ok {
		return nil
	}
	if err := k.cfg.Gate.Capsule(m, publisher); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// manifestOf describes the module of a Spawn and says who published it.
func (k *Kernel) manifestOf(ctx context.Context, from identity.PeerID, spawn *capsule.SpawnParams) (m capsule.Manifest, publisher identity.PeerID, ok bool) {
	image := spawn.Wasm
	var cid capsule.CID
	switch {
	case len(spawn.Wasm) > 0 && !capsule.IsImage(spawn.Wasm):
		info, err := capsule.Inspect(spawn.Wasm)
		return capsule.Manifest{CID: info.CID, MemoryLimit: uint64(info.MaxPages) << 16}, from, err == nil
	case len(spawn.Wasm) == 0:
		var err error
		if cid, err = capsule.ParseCID(spawn.CID); err != nil {
			return m, "", false
		}
		if !k.cfg.Blobs.Has(cid) {
			if image, ok, err = k.image(ctx, cid); err != nil || !ok {
				return m, "", false
			}
		}
	}
	if len(image) > 0 {
		im, err := capsule.DecodeImage(image, imageLimit)
		if err != nil {
			return m, "", false
		}
		cid = im.CapsuleCID
	}
	blob, err := k.capsuleFor(ctx, from, cid)
	return blob.Manifest, blob.Publisher, err == nil
}

// mayLeave asks the gate whether this node's data may go to node.
func (k *Kernel) mayLeave(ctx context.Context, node identity.PeerID) error {
	place := ""
	if err := k.loop.ask(ctx, func(s *state) {
		p, _ := s.nodes.Profile(node)
		place = p.GeoHash
	}); err != nil {
		return err
	}
	if err := k.cfg.Gate.Resident(place); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}
