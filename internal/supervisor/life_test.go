package supervisor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func TestSilenceEndsInANamedKill(t *testing.T) {
	bubble(t, Config{Policy: capsule.Temporary}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		time.Sleep(time.Minute)
		require.Equal(t, "started healthy", w.story(id))
		w.rt.last().hush <- true
		began := time.Now()
		for w.info(id).State.Live() {
			time.Sleep(50 * time.Millisecond)
		}
		require.InDelta(t, 10, time.Since(began).Seconds(), 1, "KillAfter heartbeats of 250 ms")
		require.Equal(t, "started healthy degraded zombie failed ended", w.story(id))
		require.ErrorIs(t, w.info(id).LastError, ErrNoHeartbeat)
		require.Contains(t, w.ends(id)[0].Reason, "no heartbeat")
	})
}

func TestAZombieThatSpeaksUpIsSpared(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		w.rt.last().hush <- true
		time.Sleep(6 * time.Second)
		require.Equal(t, Zombie, w.info(id).State)
		w.rt.last().hush <- false
		time.Sleep(time.Second)
		require.Equal(t, "started healthy degraded zombie healthy", w.story(id))
	})
}

func TestAPausedCapsuleFallsSilent(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		require.Equal(t, capsule.OK, w.to(id, capsule.Pause).Code)
		w.rt.last().hush <- true
		time.Sleep(6 * time.Second)
		w.rt.last().hush <- false
		time.Sleep(time.Second)
		require.Equal(t, "started healthy paused zombie paused", w.story(id))
	})
}

func TestACapsuleSaysItIsUnwellOrCrowded(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(sick)
		require.Equal(t, Degraded, w.info(id).State)
		_, err := w.call(id, "echo")
		require.NoError(t, err, "it still works")
		id = w.spawn(crowded)
		time.Sleep(3 * time.Second)
		var says []bool
		w.mu.Lock()
		for _, e := range w.events {
			if e, ok := e.(CongestionChanged); ok && e.ID == id {
				says = append(says, e.Congested)
			}
		}
		w.mu.Unlock()
		require.Greater(t, len(says), 4)
		for i, c := range says {
			require.Equal(t, says[0] == (i%2 == 0), c, "only changes are told")
		}
	})
}

func TestACrashRestartsWithAFreshMemoryAndItsMessage(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		result := make(chan error, 1)
		go func() { _, err := w.call(id, "panic", "at src/lib.rs:9"); result <- err }()
		err := <-result
		var p *capsule.PanicError
		require.ErrorAs(t, err, &p, "the job in flight is answered")
		require.Equal(t, "job at src/lib.rs:9", p.Message)
		time.Sleep(time.Second)
		in := w.info(id)
		require.Equal(t, Healthy, in.State)
		require.Equal(t, 1, in.Restarts)
		require.EqualValues(t, 2, in.Epoch)
		require.Zero(t, in.Jobs)
		require.ErrorAs(t, in.LastError, &p)
		ends := w.ends(id)
		require.Len(t, ends, 1)
		require.True(t, ends[0].Restart)
		require.LessOrEqual(t, ends[0].Wait, DefaultBackoffBase)
		require.Contains(t, ends[0].Reason, "src/lib.rs:9")
		require.Equal(t, "started healthy starting again started healthy", w.story(id))
		out, err := w.call(id, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", out)
	})
}

// The policy is the command's, or the configuration's where it has none.
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy       capsule.RestartPolicy
		crash, clean string // the story's last word
	}{
		{capsule.Permanent, "healthy", "healthy"}, {capsule.Transient, "healthy", "stopped"}, {capsule.Temporary, "failed", "stopped"},
	} {
		check := func(t *testing.T, w *world, p capsule.SpawnParams) {
			for job, want := range map[string]string{"panic": c.crash, "return": c.clean} {
				id := w.spawnWith(p)
				_, err := w.call(id, job)
				require.Error(t, err)
				time.Sleep(time.Second)
				require.Equal(t, want, w.info(id).State.String(), "%s of policy %d: %s", job, c.policy, w.story(id))
				w.to(id, capsule.Kill)
			}
		}
		bubble(t, Config{Policy: c.policy}, func(t *testing.T, w *world) {
			check(t, w, capsule.SpawnParams{CID: good.String()})
		})
		bubble(t, Config{Policy: c.policy%capsule.Temporary + 1}, func(t *testing.T, w *world) { // another
			check(t, w, capsule.SpawnParams{CID: good.String(), Restart: c.policy})
		})
	}
}

func TestRestartIntensityGivesUp(t *testing.T) {
	bubble(t, Config{Intensity: Intensity{Restarts: 2, Within: time.Minute}}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		for range 3 {
			w.rt.last().crash <- "again and again"
			time.Sleep(5 * time.Second)
		}
		in := w.info(id)
		require.Equal(t, Failed, in.State)
		require.Equal(t, 2, in.Restarts)
		require.ErrorIs(t, in.LastError, ErrRestartIntensity)
		require.ErrorIs(t, in.LastError, capsule.ErrPanicked)
		require.ErrorContains(t, in.LastError, "again and again")
	})
	bubble(t, Config{Intensity: Intensity{Restarts: 2, Within: time.Minute}}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		for range 10 {
			w.rt.last().crash <- "now and then"
			time.Sleep(31 * time.Second)
		}
		require.Equal(t, Healthy, w.info(id).State)
		require.Equal(t, 10, w.info(id).Restarts)
	})
}

// The waits grow with each crash in a row, and start anew after a quiet time.
func TestBackoffGrowsAndIsForgotten(t *testing.T) {
	bubble(t, Config{Intensity: Intensity{Restarts: 100, Within: time.Minute}, Backoff: Backoff{Base: time.Second, Max: time.Hour}}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		crash := func() time.Duration {
			w.rt.last().crash <- "boom"
			synctest.Wait()
			ends := w.ends(id)
			wait := ends[len(ends)-1].Wait
			time.Sleep(wait + time.Second)
			return wait
		}
		var longest time.Duration
		for i := range 6 {
			wait := crash()
			require.LessOrEqual(t, wait, time.Second<<i)
			longest = max(longest, wait)
		}
		require.Greater(t, longest, 4*time.Second)
		time.Sleep(2 * time.Minute)
		require.LessOrEqual(t, crash(), time.Second)
	})
}

// startThree spawns three into a group and returns their ids and instances.
func startThree(w *world, strategy capsule.GroupStrategy) ([]string, []*program) {
	var ids []string
	for _, cid := range []capsule.CID{good, other, third} {
		ids = append(ids, w.spawnWith(capsule.SpawnParams{CID: cid.String(), Group: "three", Strategy: strategy}))
	}
	return ids, append([]*program(nil), w.rt.programs...)
}

func TestOneForOne(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ids, programs := startThree(w, capsule.OneForOne)
		programs[1].crash <- "boom"
		time.Sleep(time.Second)
		for i, id := range ids {
			require.Equal(t, Healthy, w.info(id).State)
			require.Equal(t, map[bool]int{true: 1}[i == 1], w.info(id).Restarts)
		}
	})
}

func TestRestForOne(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ids, programs := startThree(w, capsule.RestForOne)
		programs[1].crash <- "boom"
		time.Sleep(time.Second)
		for i, id := range ids {
			require.Equal(t, Healthy, w.info(id).State)
			require.Equal(t, []int{0, 1, 1}[i], w.info(id).Restarts)
		}
		require.Equal(t, []string{"wasm good, another", "wasm good, a third"},
			[]string{"wasm " + w.rt.programs[3].text, "wasm " + w.rt.programs[4].text}, "in their order")

		// The last one restarts alone; the first takes all with it.
		w.rt.last().crash <- "boom"
		time.Sleep(time.Second)
		programs[0].crash <- "boom"
		time.Sleep(time.Second)
		for i, id := range ids {
			require.Equal(t, Healthy, w.info(id).State)
			require.Equal(t, []int{1, 2, 3}[i], w.info(id).Restarts)
		}
	})
}

func TestAGroupIsGivenUpTogether(t *testing.T) {
	bubble(t, Config{Intensity: Intensity{Restarts: 1}}, func(t *testing.T, w *world) {
		ids, _ := startThree(w, capsule.RestForOne)
		for range 2 {
			w.rt.mu.Lock()
			last := w.rt.programs[len(w.rt.programs)-1]
			w.rt.mu.Unlock()
			last.crash <- "boom"
			time.Sleep(time.Second)
		}
		for _, id := range ids {
			require.Equal(t, Failed, w.info(id).State, id)
		}
		require.ErrorIs(t, w.info(ids[2]).LastError, ErrRestartIntensity)
		require.Contains(t, w.ends(ids[0])[0].Reason, "group was given up")
	})
}

// A group is the members that live: who ended is not waited for, and a group without
// members, or one that was given up, is none.
func TestAGroupIsWhoLives(t *testing.T) {
	bubble(t, Config{Intensity: Intensity{Restarts: 1}}, func(t *testing.T, w *world) {
		ids, programs := startThree(w, capsule.RestForOne)
		require.Equal(t, capsule.OK, w.to(ids[1], capsule.Kill).Code)
		programs[0].crash <- "boom"
		time.Sleep(time.Second)
		require.Equal(t, []int{1, 0, 1}, []int{w.info(ids[0]).Restarts, w.info(ids[1]).Restarts, w.info(ids[2]).Restarts})

		r := w.command(capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: good.String(), Group: "three"}})
		require.Equal(t, capsule.BadParams, r.Code, "it restarts the rest")
		last := w.spawnWith(capsule.SpawnParams{CID: good.String(), Group: "three", Strategy: capsule.RestForOne})
		w.rt.last().crash <- "boom" // its group has restarted once already
		time.Sleep(time.Second)
		for _, id := range []string{ids[0], ids[2], last} {
			require.Equal(t, Failed, w.info(id).State, id)
		}
		require.Empty(t, w.s.groups)
		w.spawnWith(capsule.SpawnParams{CID: good.String(), Group: "three"}) // another one
		w.rt.last().crash <- "boom"
		time.Sleep(time.Second)
		require.Len(t, w.s.groups, 1)
		require.Equal(t, Healthy, w.s.List()[len(w.s.List())-1].State)
	})
}

// While the members of a group that was given up go away, one of the same name is
// another.
func TestAGroupThatWasGivenUpTakesNobody(t *testing.T) {
	bubble(t, Config{Intensity: Intensity{Restarts: -1}}, func(t *testing.T, w *world) {
		first := w.spawnWith(capsule.SpawnParams{CID: good.String(), Group: "g"})
		second := w.spawnWith(capsule.SpawnParams{CID: lingers.String(), Group: "g"})
		w.rt.programs[0].crash <- "boom"
		synctest.Wait()
		require.Equal(t, Failed, w.info(first).State)
		require.True(t, w.info(second).State.Live(), "its thread is not gone yet")
		w.spawnWith(capsule.SpawnParams{CID: good.String(), Group: "g", Strategy: capsule.RestForOne})
		time.Sleep(3 * time.Second)
		require.Equal(t, Failed, w.info(second).State)
		require.Len(t, w.s.groups, 1)
	})
}

func TestTheEndedAreForgottenInOrder(t *testing.T) {
	bubble(t, Config{KeepEnded: 2}, func(t *testing.T, w *world) {
		var ids []string
		for range 4 {
			id := w.spawn(good)
			w.to(id, capsule.Kill)
			ids = append(ids, id)
		}
		live := w.spawn(good)
		var listed []string
		for _, in := range w.s.List() {
			listed = append(listed, in.ID)
		}
		require.Equal(t, []string{ids[2], ids[3], live}, listed)
		require.Equal(t, capsule.UnknownCapsule, w.to(ids[0], capsule.Kill).Code)
	})
}
