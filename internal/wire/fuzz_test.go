package wire_test

import (
	"testing"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// FuzzDecoders feeds the same bytes to every decoder: none may panic, and an
// envelope that decodes must encode again.
func FuzzDecoders(f *testing.F) {
	env, _ := wire.EncodeEnvelope(governance.Envelope{ID: "a", Type: "b:c:v1"})
	profile, _ := wire.EncodeProfile(mesh.Profile{Peer: "p", Capabilities: []string{"gpu"}, Coordinate: &mesh.Coordinate{Vec: []float64{1, 2}}})
	signed, _ := wire.Seal(wire.DomainProfile, profile, testkit.Key(1))
	cmd, _ := wire.EncodeCommand(capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: "c"}})
	frame, _ := wire.EncodeJobFrame(wire.JobFrame{Request: &wire.JobRequest{Envelope: env}})
	manifest, _ := wire.EncodeManifest(capsule.Manifest{Chunks: [][32]byte{{1}}})
	feed, _ := wire.WithFeed(governance.Envelope{}, "c", 1)
	fetch, _ := wire.WithFetch(governance.Envelope{}, wire.CapsuleWant{CID: "c", FromChunk: 1})
	sent, _ := wire.WithCommand(governance.Envelope{}, capsule.Command{})
	feedType := feed.Payload.TypeID
	for _, seed := range [][]byte{env, feed.Payload.Data, fetch.Payload.Data, profile, signed, cmd, frame, manifest, nil, {0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := wire.DecodeEnvelope(b); err == nil {
			if _, err := wire.EncodeEnvelope(e); err != nil {
				t.Fatalf("decoded but does not encode: %v", err)
			}
		}
		_, _ = wire.DecodeJob(b)
		_, _ = wire.DecodeProfile(b)
		_, _, _ = wire.Open(wire.DomainProfile, b)
		_, _, _ = wire.OpenManifest(b)
		_, _ = wire.DecodeManifest(b)
		_, _, _ = wire.Policies{}.OpenPolicy(b)
		_, _ = wire.DecodeCommand(b)
		_, _ = wire.DecodeJobFrame(b)
		_, _ = wire.DecodeCapsuleFrame(b)
		_, _ = wire.DecodeFeedFrame(b)
		_, _ = wire.CommandOf(governance.Envelope{Payload: governance.Payload{TypeID: sent.Payload.TypeID, Data: b}})
		_, _, _ = wire.FeedOf(governance.Envelope{Payload: governance.Payload{TypeID: feedType, Data: b}})
		_, _ = wire.FetchOf(governance.Envelope{Payload: governance.Payload{TypeID: fetch.Payload.TypeID, Data: b}})
		_, _ = wire.DecodeSpans(b)
		for kind := range capsule.FrameKind(17) {
			_, _ = wire.Capsules{}.Decode(kind, b)
		}
	})
}
