package p2p

import (
	"context"
	"fmt"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// answerCapsule serves one fetch: want in, have and chunks out, or missing.
func (m *Mesh) answerCapsule(ctx context.Context, _ identity.PeerID, s *frames) error {
	f, err := readCapsuleFrame(s, replyFrame)
	if err != nil {
		return err
	}
	if f.Want == nil {
		return fmt.Errorf("%w: no want", mesh.ErrProtocol)
	}
	cid, err := capsule.ParseCID(f.Want.CID)
	if err != nil {
		return fmt.Errorf("%w: %w", mesh.ErrProtocol, err)
	}
	blob, ok := m.capsule(ctx, cid)
	if !ok {
		return sendCapsuleFrame(s, wire.CapsuleFrame{Missing: cid.String()})
	}
	if err := sendCapsuleFrame(s, wire.CapsuleFrame{Have: blob.SignedManifest}); err != nil {
		return err
	}
	size := int(blob.Manifest.ChunkSize)
	for i := int(f.Want.FromChunk); i < len(blob.Manifest.Chunks); i++ {
		data := blob.Wasm[i*size : min((i+1)*size, len(blob.Wasm))]
		frame, err := wire.EncodeCapsuleFrame(wire.CapsuleFrame{Chunk: &wire.CapsuleChunk{Index: uint32(i), Data: data}})
		if err != nil {
			return err
		}
		if err := s.put(frame); err != nil {
			return err
		}
	}
	return s.flush()
}

// capsule asks the handler; a blob whose figures do not agree is not there.
func (m *Mesh) capsule(ctx context.Context, cid capsule.CID) (mesh.Blob, bool) {
	if m.cfg.Handler == nil {
		return mesh.Blob{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Silence)
	defer cancel()
	blob, ok := m.cfg.Handler.Capsule(ctx, cid)
	if !ok || len(blob.SignedManifest) == 0 || uint64(len(blob.Wasm)) != blob.Manifest.Size ||
		fits(blob.Manifest, cid, m.cfg.MaxTransfer) != nil {
		return mesh.Blob{}, false
	}
	return blob, true
}

func sendCapsuleFrame(s *frames, f wire.CapsuleFrame) error {
	data, err := wire.EncodeCapsuleFrame(f)
	if err != nil {
		return err
	}
	return s.send(data)
}
