package supervisor

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// What a capsule was spawned with it has again after a restart, and a run of the same
// module on an instance of its own has not.
func TestArgumentsOutliveRestarts(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawnWith(capsule.SpawnParams{CID: good.String(), Args: []string{"one", "two"}})
		for range 2 {
			out, err := w.call(id, "args")
			require.NoError(t, err)
			require.Equal(t, "one two", out)
			w.rt.last().crash <- "boom"
			time.Sleep(time.Second)
		}
		require.Equal(t, 2, w.info(id).Restarts)
		out, err := w.run(good, "args")
		require.NoError(t, err)
		require.Empty(t, out)

		r := w.command(capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: good.String(), Args: []string{strings.Repeat("x", 4000)}}})
		require.Equal(t, capsule.BadParams, r.Code)
		require.Equal(t, "capsule_args", r.Reason)
		synctest.Wait()
		running, _ := w.rt.counts()
		require.Equal(t, 1, running)
	})
}

func TestSpawnParamsOutOfRange(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for _, p := range []capsule.SpawnParams{
			{Restart: capsule.Temporary + 1}, {Group: "g", Strategy: capsule.RestForOne + 1},
			{Strategy: capsule.RestForOne}, {Group: strings.Repeat("g", groupName+1)},
		} {
			p.CID = good.String()
			require.Equal(t, capsule.BadParams, w.command(capsule.Command{Type: capsule.Spawn, Spawn: &p}).Code, "%+v", p)
		}
		require.Empty(t, w.s.List())
	})
}

func TestAnOverduePauseIsReported(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(restless)
		r := w.to(id, capsule.Pause)
		require.Equal(t, capsule.Deadline, r.Code)
		require.Equal(t, "deadline", r.Reason)
		n, e := count[PauseOverdue](w)
		require.Equal(t, 1, n)
		require.Equal(t, PauseOverdue{ID: id, After: DefaultCommandTimeout, At: e.At}, e)
		time.Sleep(time.Minute)
		require.Equal(t, Healthy, w.info(id).State, "no more than that")

		w.command(capsule.Command{Type: capsule.Resume, Target: id})
		n, _ = count[PauseOverdue](w)
		require.Equal(t, 1, n, "only of a pause")
	})
}

func TestAnOverduePauseKillsIfThePolicySaysSo(t *testing.T) {
	bubble(t, Config{Overdue: KillOverdue}, func(t *testing.T, w *world) {
		id := w.spawnWith(capsule.SpawnParams{CID: restless.String(), Restart: capsule.Temporary})
		require.Equal(t, capsule.Deadline, w.to(id, capsule.Pause).Code)
		_, e := count[PauseOverdue](w)
		require.True(t, e.Killed)
		synctest.Wait()
		require.Equal(t, Failed, w.info(id).State)
		require.ErrorIs(t, w.info(id).LastError, ErrPauseOverdue)

		id = w.spawn(good)
		require.Equal(t, capsule.OK, w.to(id, capsule.Pause).Code)
		n, _ := count[PauseOverdue](w)
		require.Equal(t, 1, n)
	})
}

// A Worker takes its time to end: what its capsule died of is known before, and the
// silence since is not held against it.
func TestTheFirstErrorStays(t *testing.T) {
	bubble(t, Config{Heartbeat: 10 * time.Millisecond}, func(t *testing.T, w *world) {
		id := w.spawnWith(capsule.SpawnParams{CID: lingers.String(), Restart: capsule.Temporary})
		_, err := w.call(id, "panic", "first")
		require.ErrorIs(t, err, capsule.ErrPanicked)
		time.Sleep(3 * time.Second)
		require.Equal(t, "started healthy failed ended", w.story(id))
		require.ErrorIs(t, w.info(id).LastError, capsule.ErrPanicked)
		require.Contains(t, w.ends(id)[0].Reason, "first")
	})
}

// The dead do not take the slots of the living, but they are not without number.
func TestSlotsOfTheDead(t *testing.T) {
	bubble(t, Config{MaxCapsules: 2}, func(t *testing.T, w *world) {
		for n := range 2 {
			_, err := w.run(lingers, "panic")
			require.ErrorIs(t, err, capsule.ErrPanicked, n)
		}
		w.spawn(good)
		w.spawn(good)
		r := w.trySpawn(good)
		require.Equal(t, capsule.Refused, r.Code)
		require.Equal(t, "busy", r.Reason)
		time.Sleep(3 * time.Second)
		require.Equal(t, capsule.Refused, w.trySpawn(good).Code, "the living are two")
	})
	bubble(t, Config{MaxCapsules: 2}, func(t *testing.T, w *world) {
		for n := range 4 {
			_, err := w.run(lingers, "panic")
			require.ErrorIs(t, err, capsule.ErrPanicked, n)
		}
		r := w.trySpawn(good)
		require.Equal(t, "busy", r.Reason, "as many as live may be going away")
		began := time.Now()
		_, err := w.run(good, "echo")
		require.NoError(t, err, "a run waits for one of them to be gone")
		require.Positive(t, time.Since(began))
	})
	bubble(t, Config{MaxCapsules: 1}, func(t *testing.T, w *world) {
		_, err := w.call(w.spawn(lingers), "panic") // it will start again, in its slot
		require.ErrorIs(t, err, capsule.ErrPanicked)
		require.Equal(t, capsule.Refused, w.trySpawn(good).Code)
	})
}

// What an instance says after another has taken its place says nothing of that one.
func TestALateHeartbeatIsNobodys(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		w.rt.last().crash <- "boom"
		time.Sleep(time.Second)
		require.Equal(t, 1, w.info(id).Restarts)
		before, _ := count[HeartbeatReceived](w)
		w.s.mu.Lock()
		ch := w.s.live[id]
		w.s.mu.Unlock()
		w.s.heard(ch, 1, capsule.Heartbeat{Paused: true, Congested: true, MemoryEpoch: 1, Sequence: 1 << 40}, time.Now())
		after, _ := count[HeartbeatReceived](w)
		require.Equal(t, before, after)
		require.Equal(t, Healthy, w.info(id).State)
		require.Less(t, w.info(id).Heartbeat.Sequence, uint64(1<<40))
		w.s.heard(ch, 2, capsule.Heartbeat{Paused: true, MemoryEpoch: 2, Sequence: 1 << 40}, time.Now())
		require.Equal(t, Paused, w.info(id).State, "its own is heard")
	})
}
