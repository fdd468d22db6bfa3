package wire_test

import (
	"crypto/ed25519"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

func TestSealedMessagesOpenOnlyInTheirDomain(t *testing.T) {
	k := testkit.Key(1)
	b, err := wire.Seal(wire.DomainProfile, []byte("payload"), k)
	require.NoError(t, err)
	payload, signer, err := wire.Open(wire.DomainProfile, b)
	require.NoError(t, err)
	require.Equal(t, "payload", string(payload))
	require.Equal(t, identity.PeerIDOf(k.Public().(ed25519.PublicKey)), signer)

	_, _, err = wire.Open(wire.DomainVoucher, b)
	require.ErrorIs(t, err, wire.ErrSignature)
}

// After any bit of a sealed message flips, it opens unchanged or not at all.
func TestSealedMessageBitFlips(t *testing.T) {
	b, err := wire.Seal(wire.DomainProfile, []byte("payload"), testkit.Key(1))
	require.NoError(t, err)
	_, want, err := wire.Open(wire.DomainProfile, b)
	require.NoError(t, err)
	for bit := range len(b) * 8 {
		flipped := append([]byte(nil), b...)
		flipped[bit/8] ^= 1 << (bit % 8)
		payload, signer, err := wire.Open(wire.DomainProfile, flipped)
		if err == nil {
			require.Equal(t, "payload", string(payload), "bit %d", bit)
			require.Equal(t, want, signer, "bit %d", bit)
		}
	}
}

func TestLifecycleRoundTrip(t *testing.T) {
	at := time.Unix(0, 1234567890).UTC()
	for _, want := range []capsule.Command{
		{ID: "1", Type: capsule.Spawn, Timestamp: at, Spawn: &capsule.SpawnParams{
			CID: "bafk", Wasm: []byte{0, 'a'}, MemoryLimit: 1 << 33, Capabilities: []string{"simd"}, Args: []string{"x", ""}, CreditLedgerID: "ledger:x"}},
		{ID: "2", Type: capsule.Kill, Target: "c", Deadline: at, Kill: &capsule.KillParams{Reason: "why", Grace: time.Second}},
		{ID: "3", Type: capsule.Pause, Target: "c"},
		{ID: "4", Type: capsule.Resume, Target: "c"},
		{ID: "5", Type: capsule.Snapshot, Target: "c", Snapshot: &capsule.SnapshotParams{}},
		{ID: "6", Type: capsule.Snapshot, Target: "c", Snapshot: &capsule.SnapshotParams{Compress: true}},
		{ID: "7", Type: capsule.ResizeMem, Target: "c", Resize: &capsule.ResizeParams{Bytes: math.MaxUint64}},
	} {
		kind, b, err := wire.Capsules{}.Encode(want)
		require.NoError(t, err)
		require.Equal(t, capsule.FrameCommand, kind)
		got, err := wire.DecodeCommand(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := wire.EncodeCommand(capsule.Command{Type: 99})
	require.NoError(t, err)
	unknown, _ := wire.EncodeCommand(capsule.Command{Type: 99})
	_, err = wire.DecodeCommand(unknown)
	require.ErrorIs(t, err, wire.ErrMalformed)

	reply := capsule.Reply{ID: "1", Code: capsule.Limit, Message: "no", CapsuleID: "c", MemoryBytes: 1 << 20, MemoryEpoch: 3, SnapshotCID: "s", Timestamp: at}
	b, err := wire.EncodeReply(reply)
	require.NoError(t, err)
	gotReply, err := wire.Capsules{}.Decode(capsule.FrameReply, b)
	require.NoError(t, err)
	require.Equal(t, reply, gotReply)

	beat := capsule.Heartbeat{CapsuleID: "c", Status: capsule.Degraded, MemoryUsage: 5, CPUTime: time.Millisecond, Congested: true,
		NeedsMoreMem: true, Sequence: 9, MemoryEpoch: 2, Paused: true, JobsDone: 4, WantedBytes: 1 << 24}
	b, err = wire.EncodeHeartbeat(beat)
	require.NoError(t, err)
	gotBeat, err := wire.Capsules{}.Decode(capsule.FrameHeartbeat, b)
	require.NoError(t, err)
	require.Equal(t, beat, gotBeat)
}

func TestProfileRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mesh.Profile{
			Peer:         identity.PeerID(rapid.String().Draw(t, "peer")),
			Name:         rapid.String().Draw(t, "name"),
			Kind:         rapid.String().Draw(t, "kind"),
			Capabilities: nilIfNone(rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "capabilities")),
			GeoHash:      rapid.String().Draw(t, "geo"),
			Latency:      time.Duration(rapid.Int64().Draw(t, "latency")),
			CreditCost:   rapid.Uint64().Draw(t, "cost"),
			FreeSlots:    rapid.Uint32().Draw(t, "free"),
			QueueLength:  rapid.Uint32().Draw(t, "queue"),
			Expires:      drawTime(t, "expires"),
			Sequence:     rapid.Uint64().Draw(t, "sequence"),
			Addrs:        nilIfNone(rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "addrs")),
		}
		if rapid.Bool().Draw(t, "placed") {
			want.Coordinate = &mesh.Coordinate{
				Vec:   rapid.SliceOfN(rapid.Float64(), 1, 8).Draw(t, "vec"),
				Error: rapid.Float64().Draw(t, "error"), Adjustment: rapid.Float64().Draw(t, "adjustment"), Height: rapid.Float64().Draw(t, "height"),
			}
		}
		b, err := wire.EncodeProfile(want)
		require.NoError(t, err)
		got, err := wire.DecodeProfile(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestManifestRoundTrip(t *testing.T) {
	want := capsule.Manifest{CID: capsule.SumCID([]byte("wasm")), Name: "hash", ABIVersion: 1, Size: 4, Capabilities: []string{"simd"},
		MemoryLimit: 1 << 26, TimeLimit: time.Minute, Methods: []string{"both"}, ChunkSize: 1 << 16, Chunks: [][32]byte{{1}, {2}}}
	b, err := wire.SealManifest(want, testkit.Key(3))
	require.NoError(t, err)
	got, publisher, err := wire.OpenManifest(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, testkit.Peer(3), publisher)
}

func TestFramesRoundTrip(t *testing.T) {
	outcome := mesh.JobOutcome{JobID: "j", Code: mesh.JobFailed, Message: "m", Reason: "r", Node: "n", OutputCID: "o", Cost: 5,
		Queued: 1, Run: 2, Receipt: []byte{9}, FetchedBytes: 10}
	for _, want := range []wire.JobFrame{
		{Request: &wire.JobRequest{Envelope: []byte{1}, Voucher: []byte{2}, Manifest: []byte{3}}},
		{Input: []byte{}}, {Input: []byte{1, 2}}, {Cancel: true},
		{Progress: &mesh.Progress{Done: 1, Total: 2, Cost: 3}},
		{Result: &wire.JobResult{Outcome: outcome, OutputLength: 77}},
		{Output: []byte{4}},
	} {
		b, err := wire.EncodeJobFrame(want)
		require.NoError(t, err)
		got, err := wire.DecodeJobFrame(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := wire.EncodeJobFrame(wire.JobFrame{})
	require.Error(t, err)
	for _, want := range []wire.CapsuleFrame{
		{Have: []byte{1}},
		{Chunk: &wire.CapsuleChunk{Index: 4, Data: []byte{5}}}, {Missing: "c"},
	} {
		b, err := wire.EncodeCapsuleFrame(want)
		require.NoError(t, err)
		got, err := wire.DecodeCapsuleFrame(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = wire.EncodeCapsuleFrame(wire.CapsuleFrame{})
	require.Error(t, err)
	want := wire.CapsuleWant{CID: "c", FromChunk: 3}
	env, err := wire.WithFetch(governance.Envelope{ID: "e"}, want)
	require.NoError(t, err)
	got, err := wire.FetchOf(env)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = wire.FetchOf(governance.Envelope{Payload: governance.Payload{Data: env.Payload.Data}})
	require.ErrorIs(t, err, wire.ErrMalformed, "of another type")
}
