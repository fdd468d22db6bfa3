package lifecycle

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// commandHere carries a command out on this node. What the policy does not let run is
// not spawned; spawned capsules are charged to their ledger from then on; one whose
// ledger is dry does not resume.
func (s *Service) commandHere(ctx context.Context, from identity.PeerID, origin string, cmd capsule.Command) (capsule.Reply, error) {
	if cmd.Type == capsule.Resume && s.metering.isDry(cmd.Target) {
		return refuse(cmd, capsule.Denied, "kernel: the ledger that pays for this capsule has run dry"), nil
	}
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil {
		return s.cfg.Capsules.Command(ctx, cmd)
	}
	if err := s.modules.authorizeSpawn(ctx, from, cmd.Spawn); err != nil {
		return s.refusal(cmd, err), nil
	}
	return s.metering.spawn(ctx, from, origin, cmd)
}

// refuse is the answer of this code to a command that was not carried out.
func refuse(cmd capsule.Command, code capsule.ReplyCode, message string) capsule.Reply {
	return capsule.Reply{ID: cmd.ID, Code: code, Message: message, CapsuleID: cmd.Target, Timestamp: time.Now()}
}

// authorizeSpawn asks the gate about the capsule that a Spawn would start here, whether it
// comes by CID, as bytes, or in a snapshot. Bytes without a manifest count as
// published by whoever sent them: the channel has authenticated that node. What is
// not here, or is no capsule, is left to the supervisor to refuse by its name.
func (m *Modules) authorizeSpawn(ctx context.Context, from identity.PeerID, spawn *capsule.SpawnParams) error {
	if from == "" {
		from = m.cfg.Self
	}
	manifest, publisher, ok := m.manifestOf(ctx, from, spawn)
	if !ok {
		return nil
	}
	if err := m.cfg.Gate.Capsule(manifest, publisher); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// manifestOf describes the module of a Spawn and says who published it.
func (m *Modules) manifestOf(ctx context.Context, from identity.PeerID, spawn *capsule.SpawnParams) (_ capsule.Manifest, publisher identity.PeerID, ok bool) {
	image := spawn.Wasm
	var cid capsule.CID
	switch {
	case len(spawn.Wasm) > 0 && !capsule.IsImage(spawn.Wasm):
		info, err := capsule.Inspect(spawn.Wasm)
		return capsule.Manifest{CID: info.CID, MemoryLimit: uint64(info.MaxPages) << 16}, from, err == nil
	case len(spawn.Wasm) == 0:
		var err error
		if cid, err = capsule.ParseCID(spawn.CID); err != nil {
			return capsule.Manifest{}, "", false
		}
		if !m.cfg.Blobs.Has(cid) {
			if image, ok, err = m.image(ctx, cid); err != nil || !ok {
				return capsule.Manifest{}, "", false
			}
		}
	}
	if len(image) > 0 {
		im, err := capsule.DecodeImage(image, imageLimit)
		if err != nil {
			return capsule.Manifest{}, "", false
		}
		cid = im.CapsuleCID
	}
	blob, err := m.For(ctx, from, cid)
	return blob.Manifest, blob.Publisher, err == nil
}
