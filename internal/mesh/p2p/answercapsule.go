package p2p

import (
	"context"
	"fmt"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// answerCapsule serves one fetch: a want in its envelope comes in, have and chunks go
// out, or missing.
func (m *Mesh) answerCapsule(ctx context.Context, from identity.PeerID, s *frames) error {
	data, err := s.read(replyFrame)
	if err != nil {
		return err
	}
	env, _, err := m.received(from, data)
	if err != nil {
		return err
	}
	want, err := wire.FetchOf(env)
	if err != nil {
		return err
	}
	cid, err := capsule.ParseCID(want.CID)
	if err != nil {
		return fmt.Errorf("%w: %w", mesh.ErrProtocol, err)
	}
	blob, ok := m.capsule(ctx, from, mesh.FetchCall{Envelope: env, CID: cid})
	if !ok {
		return sendCapsuleFrame(s, wire.CapsuleFrame{Missing: cid.String()})
	}
	if err := sendCapsuleFrame(s, wire.CapsuleFrame{Have: blob.SignedManifest}); err != nil {
		return err
	}
	size := int(blob.Manifest.ChunkSize)
	for i := int(want.FromChunk); i < len(blob.Manifest.Chunks); i++ {
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
func (m *Mesh) capsule(ctx context.Context, from identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	if m.cfg.Handler == nil {
		return mesh.Blob{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StallTimeout)
	defer cancel()
	blob, ok := m.cfg.Handler.HandleFetch(ctx, from, call)
	if !ok || len(blob.SignedManifest) == 0 || uint64(len(blob.Wasm)) != blob.Manifest.Size ||
		fits(blob.Manifest, call.CID, m.cfg.maxTransfer) != nil {
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
