package wazero_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// supervised is a supervisor over wazero that serves, and its events.
func supervised(t *testing.T, images supervisor.Images) (*supervisor.Supervisor, chan supervisor.Event) {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	events := make(chan supervisor.Event, 10_000)
	s, err := supervisor.New(supervisor.Config{Runtime: rt, Codec: wire.Capsules{}, Blobs: capsules.Modules{}, Images: images,
		CommandTimeout: time.Minute, StartTimeout: time.Minute, Emit: func(e supervisor.Event) {
			if _, is := e.(supervisor.HeartbeatReceived); !is {
				events <- e
			}
		}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(ctx) })
	t.Cleanup(func() {
		stop()
		serving.Wait()
		require.NoError(t, rt.Close())
	})
	return s, events
}

func spawn(t *testing.T, s *supervisor.Supervisor, p capsule.SpawnParams) capsule.Reply {
	t.Helper()
	return s.Command(t.Context(), capsule.Command{ID: "spawn", Type: capsule.Spawn, Spawn: &p})
}

func infoOf(s *supervisor.Supervisor, id string) supervisor.Info {
	for _, in := range s.List() {
		if in.ID == id {
			return in
		}
	}
	return supervisor.Info{}
}

// A snapshot by command, and spawns of it: by its CID where it is kept, and by
// its bytes as another node would.
func TestSupervisedSnapshot(t *testing.T) {
	kept := &capsules.Images{Max: 1}
	s, _ := supervised(t, kept)
	wasm := capsules.Built(t, "hash")
	r := spawn(t, s, capsule.SpawnParams{Wasm: wasm})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	id := r.CapsuleID
	for range 3 {
		_, err := s.Call(t.Context(), id, 0, capsule.Task{Input: random(1000)}, nil)
		require.NoError(t, err)
	}
	command := func(typ capsule.CommandType) capsule.Reply {
		return s.Command(t.Context(), capsule.Command{ID: "x", Type: typ, Target: id})
	}
	require.Equal(t, capsule.InvalidState, command(capsule.Snapshot).Code, "it is not paused")
	require.Equal(t, capsule.OK, command(capsule.Pause).Code)
	r = command(capsule.Snapshot)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	cid, err := capsule.ParseCID(r.SnapshotCID)
	require.NoError(t, err)
	image, _, err := kept.GetImage(t.Context(), cid)
	require.NoError(t, err)
	require.Equal(t, cid, capsule.SumCID(image))
	t.Logf("%d bytes of memory in an image of %d", r.MemoryBytes, len(image))
	require.Equal(t, supervisor.Paused, infoOf(s, id).State, "it stays paused")
	require.Equal(t, capsule.OK, command(capsule.Resume).Code)
	_, err = s.Call(t.Context(), id, 0, capsule.Task{Input: random(1000)}, nil)
	require.NoError(t, err)

	// A store that is full is a refusal, and hurts nobody.
	require.Equal(t, capsule.OK, command(capsule.Pause).Code)
	r = command(capsule.Snapshot)
	require.Equal(t, capsule.Refused, r.Code)
	require.Contains(t, r.Message, capsules.ErrImagesFull.Error())

	// The module of an image comes from Blobs, which this node's are without.
	r = spawn(t, s, capsule.SpawnParams{CID: cid.String()})
	require.NotEqual(t, capsule.OK, r.Code)

	blobs := capsules.ModulesOf(wasm)
	rt := sharedRuntime(t)
	elsewhere, err := supervisor.New(supervisor.Config{Runtime: rt, Codec: wire.Capsules{}, Blobs: blobs, Images: kept, CommandTimeout: time.Minute, StartTimeout: time.Minute})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = elsewhere.Serve(ctx) })
	defer serving.Wait()
	defer stop()
	for _, p := range []capsule.SpawnParams{{CID: cid.String()}, {Wasm: image}} {
		r = spawn(t, elsewhere, p)
		require.Equal(t, capsule.OK, r.Code, r.Message)
		require.Greater(t, r.MemoryEpoch, uint32(1))
		in := infoOf(elsewhere, r.CapsuleID)
		require.Equal(t, capsule.SumCID(wasm), in.CID)
		require.Equal(t, supervisor.Healthy, in.State, "a restored capsule runs")
		require.EqualValues(t, 3, in.Heartbeat.JobsDone)
	}
	// Nobody's memory may be longer than what an image may have here.
	huge := &capsule.Image{ABI: capsule.ABIVersion, CapsuleCID: capsule.SumCID(wasm), Epoch: 1, MemoryBytes: 2 << 30}
	r = spawn(t, elsewhere, capsule.SpawnParams{Wasm: huge.Encode(false)})
	require.Equal(t, capsule.Refused, r.Code)
	require.Contains(t, r.Message, "the limit is 1073741824")
	broken := append([]byte{}, image[:len(image)/2]...)
	r = spawn(t, elsewhere, capsule.SpawnParams{Wasm: broken})
	require.Equal(t, capsule.Refused, r.Code)
}

// A capsule that says it needs more memory gets it, and is refused past its limit.
func TestSupervisedGrowth(t *testing.T) {
	s, events := supervised(t, nil)
	wasm := capsules.Built(t, "fault")
	r := spawn(t, s, capsule.SpawnParams{Wasm: wasm, MemoryLimit: 16 << 20})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	_, err := s.Call(t.Context(), r.CapsuleID, 0,
		capsule.Task{Method: "hunger", Args: []string{"8000000"}}, nil)
	require.NoError(t, err)
	in := infoOf(s, r.CapsuleID)
	require.GreaterOrEqual(t, in.MemoryBytes, uint64(8_000_000))
	require.EqualValues(t, 2, in.Epoch)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Call(ctx, r.CapsuleID, 0,
			capsule.Task{Method: "hunger", Args: []string{"32000000"}}, nil)
		ended <- err
	}()
	grown := 0
	for e := range events {
		if e, ok := e.(supervisor.MemoryResized); ok {
			require.GreaterOrEqual(t, e.To, uint64(8_000_000))
			grown++
		}
		if e, ok := e.(supervisor.MemoryRefused); ok {
			require.EqualValues(t, 32_000_000, e.Wanted)
			require.EqualValues(t, 16<<20, e.Limit)
			break
		}
	}
	require.Equal(t, 1, grown)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, in.MemoryBytes, infoOf(s, r.CapsuleID).MemoryBytes)
}
