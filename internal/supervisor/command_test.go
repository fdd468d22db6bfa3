package supervisor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

func TestNewChecks(t *testing.T) {
	w := &world{}
	for name, cfg := range map[string]Config{
		"no runtime": {Codec: capsules.JSONCodec{}, Blobs: w},
		"no codec":   {Runtime: &fakeRuntime{}, Blobs: w},
		"no blobs":   {Runtime: &fakeRuntime{}, Codec: capsules.JSONCodec{}},
		"falling":    {Runtime: &fakeRuntime{}, Codec: capsules.JSONCodec{}, Blobs: w, DegradedAfter: 9, ZombieAfter: 3, KillAfter: 1},
	} {
		_, err := New(cfg)
		require.ErrorIs(t, err, ErrConfig, name)
	}
}

func TestLifeByCommand(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		r := w.trySpawn(good)
		require.Equal(t, capsule.OK, r.Code, r.Message)
		id := r.CapsuleID
		require.EqualValues(t, capsule.PageSize, r.MemoryBytes)
		require.EqualValues(t, 1, r.MemoryEpoch)
		in := w.info(id)
		require.Equal(t, Healthy, in.State)
		require.Equal(t, good, in.CID)
		require.Equal(t, "wasm good", in.Name)
		require.EqualValues(t, 8*capsule.PageSize, in.MemoryLimit, "the manifest's")

		require.Equal(t, capsule.InvalidState, w.to(id, capsule.Resume).Code)
		require.Equal(t, capsule.OK, w.to(id, capsule.Pause).Code)
		require.Equal(t, Paused, w.info(id).State)
		require.Equal(t, capsule.InvalidState, w.to(id, capsule.Pause).Code)
		time.Sleep(time.Second)
		require.Equal(t, Paused, w.info(id).State, "its heartbeats say so too")
		require.Equal(t, capsule.OK, w.to(id, capsule.Resume).Code)
		require.Equal(t, Healthy, w.info(id).State)

		r = w.to(id, capsule.ResizeMem)
		require.Equal(t, capsule.OK, r.Code, r.Message)
		require.EqualValues(t, 2*capsule.PageSize, r.MemoryBytes)
		require.EqualValues(t, 2, r.MemoryEpoch)
		require.EqualValues(t, 2, w.info(id).Epoch)
		r = w.command(capsule.Command{Type: capsule.ResizeMem, Target: id, Resize: &capsule.ResizeParams{Bytes: 1 << 30}})
		require.Equal(t, capsule.Limit, r.Code)
		require.Equal(t, capsule.Unsupported, w.to(id, capsule.Snapshot).Code)
		require.Equal(t, capsule.Unsupported, w.to(id, capsule.CommandType(99)).Code)

		r = w.command(capsule.Command{Type: capsule.Kill, Target: id, Kill: &capsule.KillParams{Reason: "enough"}})
		require.Equal(t, capsule.OK, r.Code)
		require.Equal(t, Stopped, w.info(id).State)
		require.ErrorIs(t, w.info(id).LastError, capsule.ErrKilled)
		require.Equal(t, "enough", w.ends(id)[0].Reason)
		require.Equal(t, capsule.InvalidState, w.to(id, capsule.Kill).Code)
		require.Equal(t, capsule.InvalidState, w.to(id, capsule.Pause).Code)
		require.Equal(t, "started healthy paused healthy stopped ended", w.story(id))
	})
}

func TestSpawnRefused(t *testing.T) {
	spawn := func(p *capsule.SpawnParams) capsule.Command { return capsule.Command{Type: capsule.Spawn, Spawn: p} }
	for _, c := range []struct {
		name string
		cmd  capsule.Command
		code capsule.ReplyCode
		says string
	}{
		{"no params", spawn(nil), capsule.BadParams, "SpawnParams"},
		{"nothing to start", spawn(&capsule.SpawnParams{}), capsule.BadParams, "CID"},
		{"no CID", spawn(&capsule.SpawnParams{CID: "Qm"}), capsule.BadParams, "CID"},
		{"other bytes than its CID", spawn(&capsule.SpawnParams{CID: good.String(), Wasm: []byte("wasm x")}), capsule.BadParams, "do not match"},
		{"nobody has it", spawn(&capsule.SpawnParams{CID: nothing.String()}), capsule.Refused, "no such blob"},
		{"a lying store", spawn(&capsule.SpawnParams{CID: lying.String()}), capsule.Refused, "do not match"},
		{"not wasm", spawn(&capsule.SpawnParams{Wasm: []byte("elf")}), capsule.Refused, "not a WebAssembly module"},
		{"too little memory", spawn(&capsule.SpawnParams{CID: good.String(), MemoryLimit: 1}), capsule.Refused, "memory limit"},
		{"it dies", spawn(&capsule.SpawnParams{CID: dies.String()}), capsule.Crashed, "dead on arrival"},
		{"it stays silent", capsule.Command{Type: capsule.Spawn, Deadline: time.Unix(1<<33, 0), Spawn: &capsule.SpawnParams{CID: silent.String()}}, capsule.Crashed, "heartbeat"},
		{"silent beyond the deadline", spawn(&capsule.SpawnParams{CID: silent.String()}), capsule.Deadline, "deadline"},
		{"its deadline has passed", capsule.Command{Type: capsule.Spawn, Deadline: time.Unix(1, 0), Spawn: &capsule.SpawnParams{CID: good.String()}}, capsule.Deadline, "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, w *world) {
				r := w.command(c.cmd)
				require.Equal(t, c.code, r.Code, r.Message)
				require.Contains(t, r.Message, c.says)
				synctest.Wait()
				for _, in := range w.s.List() {
					require.False(t, in.State.Live())
				}
			})
		})
	}
}

func TestSpawnFromBytes(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		text := []byte("wasm sent along")
		r := w.command(capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: text, MemoryLimit: 3 * capsule.PageSize}})
		require.Equal(t, capsule.OK, r.Code, r.Message)
		require.Equal(t, capsule.SumCID(text), w.info(r.CapsuleID).CID)
		require.EqualValues(t, 3*capsule.PageSize, w.info(r.CapsuleID).MemoryLimit)
		_, err := w.run(capsule.SumCID(text), "echo")
		require.ErrorIs(t, err, errNoBlob, "bytes given for a spawn are not for the jobs of others")
		got, err := w.call(r.CapsuleID, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", got)
	})
}

func TestUnknownTarget(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for _, typ := range []capsule.CommandType{capsule.Kill, capsule.Pause, capsule.Resume, capsule.Snapshot, capsule.ResizeMem} {
			require.Equal(t, capsule.UnknownCapsule, w.to("nobody", typ).Code)
		}
	})
}

// A start before Serve waits for it.
func TestStartBeforeServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAtRest(t, Config{})
		replies := make(chan capsule.Reply, 1)
		go func() { replies <- w.trySpawn(good) }()
		synctest.Wait()
		require.Empty(t, replies)
		w.serve()
		require.Equal(t, capsule.OK, (<-replies).Code)
		w.stop()
	})
}

func TestNotServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		id := w.spawn(good)
		w.stop()
		require.Equal(t, Stopped, w.info(id).State)
		r := w.trySpawn(good)
		require.Equal(t, capsule.Refused, r.Code)
		_, err := w.run(good, "echo")
		require.ErrorIs(t, err, ErrNotServing)
	})
}

// The end of Serve answers everything that is pending.
func TestServeEndsWithWorkPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{MaxCapsules: 4})
		w.spawn(good)
		answers := make(chan any, 3)
		go func() { _, err := w.run(other, "sleep", "1h"); answers <- err }()
		go func() { _, err := w.run(silent, "echo"); answers <- err }()
		go func() { answers <- w.trySpawn(silent).Code }()
		synctest.Wait()
		w.stop()
		for range 3 {
			switch a := (<-answers).(type) {
			case error:
				require.Error(t, a)
			case capsule.ReplyCode:
				require.NotEqual(t, capsule.OK, a)
			}
		}
	})
}

func TestKillLetsAJobFinishWithinItsGrace(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		result := make(chan error, 1)
		go func() { _, err := w.call(id, "sleep", "2s"); result <- err }()
		synctest.Wait()
		require.Equal(t, 1, w.info(id).Jobs)
		began := time.Now()
		r := w.command(capsule.Command{Type: capsule.Kill, Target: id, Deadline: began.Add(time.Minute), Kill: &capsule.KillParams{Grace: 3 * time.Second}})
		require.Equal(t, capsule.OK, r.Code, r.Message)
		require.NoError(t, <-result)
		require.Equal(t, Stopped, w.info(id).State)
	})
}

func TestKillWhileItWaitsForARestart(t *testing.T) {
	bubble(t, Config{Backoff: Backoff{Base: time.Hour, Max: time.Hour}}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		w.rt.last().crash <- "once"
		synctest.Wait()
		require.Equal(t, Starting, w.info(id).State)
		require.Equal(t, capsule.InvalidState, w.to(id, capsule.Pause).Code)
		require.Equal(t, capsule.InvalidState, w.to(id, capsule.ResizeMem).Code)
		require.Equal(t, capsule.OK, w.to(id, capsule.Kill).Code)
		require.Equal(t, Stopped, w.info(id).State)
	})
}

// A paused capsule answers nothing it is not asked; a deaf one is answered for.
func TestDeadlineOfACommand(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		go func() { _, _ = w.call(id, "spin") }()
		synctest.Wait()
		began := time.Now()
		r := w.command(capsule.Command{Type: capsule.Pause, Target: id, Deadline: began.Add(300 * time.Millisecond)})
		require.Equal(t, capsule.Deadline, r.Code)
		require.Equal(t, 300*time.Millisecond, time.Since(began))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r = w.s.Command(ctx, capsule.Command{ID: "x", Type: capsule.Pause, Target: id})
		require.Equal(t, capsule.Deadline, r.Code)
		require.Equal(t, "x", r.ID)
	})
}
