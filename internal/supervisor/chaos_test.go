package supervisor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"inos/internal/capsule"
)

// step is one thing that happens to a supervisor.
type step struct {
	What   string // "command", "run", "call", "crash", "hush", "wait"
	Type   capsule.CommandType
	Pick   int // target, program or capsule, modulo what there is
	Method string
	Time   time.Duration
}

var anyStep = rapid.Custom(func(t *rapid.T) step {
	return step{
		What:   rapid.SampledFrom([]string{"command", "command", "command", "run", "run", "call", "call", "crash", "hush", "wait", "wait"}).Draw(t, "what"),
		Type:   capsule.CommandType(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 4, 5, 6}).Draw(t, "type")),
		Pick:   rapid.IntRange(0, 20).Draw(t, "pick"),
		Method: rapid.SampledFrom([]string{"echo", "sleep", "panic", "return", "spin", "nonsense"}).Draw(t, "method"),
		Time:   time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond,
	}
})

// Whatever happens in whatever order: every command is answered exactly once by
// its deadline, every run and call returns, the slots are never exceeded, states change
// only as the table says, and nothing is left at the end.
func TestAnythingMayHappen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(anyStep, 1, 40).Draw(rt, "steps")
		cfg := Config{
			MaxCapsules: rapid.IntRange(1, 4).Draw(rt, "slots"),
			Policy:      capsule.RestartPolicy(rapid.IntRange(0, 3).Draw(rt, "policy")),
			Seed:        rapid.Uint64().Draw(rt, "seed"),
		}
		var problem error
		synctest.Test(t, func(t *testing.T) { problem = happen(t, cfg, steps) })
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

func happen(t *testing.T, cfg Config, steps []step) (problem error) {
	w := newWorld(t, cfg)
	cids := []capsule.CID{good, good, other, lingers, sick, returns, dies, silent, nothing}
	var (
		mu      sync.Mutex
		answers = map[string]int{}
		ids     = []string{"nobody"}
		wg      sync.WaitGroup
	)
	fail := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if problem == nil {
			problem = fmt.Errorf(format, args...)
		}
	}
	for i, st := range steps {
		switch st.What {
		case "command":
			cmd := capsule.Command{ID: fmt.Sprintf("step-%d", i), Type: st.Type, Deadline: time.Now().Add(st.Time)}
			if st.Type == capsule.Spawn {
				cmd.Spawn = &capsule.SpawnParams{CID: cids[st.Pick%len(cids)].String(), Restart: capsule.RestartPolicy(st.Pick % 4)}
				if st.Pick%3 > 0 {
					cmd.Spawn.Group, cmd.Spawn.Strategy = fmt.Sprint("group ", st.Pick%2), capsule.GroupStrategy(st.Pick%2)
				}
			} else {
				cmd.Resize = &capsule.ResizeParams{Bytes: uint64(st.Pick) * capsule.PageSize}
				mu.Lock()
				cmd.Target = ids[st.Pick%len(ids)]
				mu.Unlock()
			}
			wg.Go(func() {
				r := w.s.Command(context.Background(), cmd)
				if late := time.Since(cmd.Deadline); late > 0 {
					fail("%s answered %v late", cmd.ID, late)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[r.ID]++
				if r.Code == capsule.OK && cmd.Type == capsule.Spawn {
					ids = append(ids, r.CapsuleID)
				}
			})
		case "run":
			wg.Go(func() {
				task := capsule.Task{Method: st.Method, Args: []string{"1s"}, Input: []byte("in")}
				out, err := w.s.Run(context.Background(), cids[st.Pick%len(cids)], Limits{Time: st.Time}, task, nil)
				if err == nil && string(out) != "in" {
					fail("run returned %q", out)
				}
			})
		case "call":
			mu.Lock()
			id := ids[st.Pick%len(ids)]
			mu.Unlock()
			wg.Go(func() {
				task := capsule.Task{Method: st.Method, Args: []string{"1s"}, Input: []byte("in")}
				out, err := w.s.Call(context.Background(), id, st.Time, task, nil)
				if err == nil && string(out) != "in" {
					fail("call returned %q", out)
				}
			})
		case "crash", "hush":
			w.rt.mu.Lock()
			if n := len(w.rt.programs); n > 0 {
				p := w.rt.programs[st.Pick%n]
				crash, hush := p.crash, p.hush
				if st.What == "crash" {
					hush = nil
				} else {
					crash = nil
				}
				wg.Go(func() {
					select { // a program that spins takes neither
					case crash <- "struck":
					case hush <- true:
					case <-p.done:
					case <-time.After(time.Second):
					}
				})
			}
			w.rt.mu.Unlock()
		case "wait":
			time.Sleep(st.Time)
		}
		w.s.mu.Lock()
		if n := w.s.occupied(); n > cfg.MaxCapsules || len(w.s.live) > 2*cfg.MaxCapsules {
			fail("%d capsules, %d of them going away, in %d slots", len(w.s.live), len(w.s.live)-n, cfg.MaxCapsules)
		}
		w.s.mu.Unlock()
	}
	wg.Wait()
	w.stop()
	for i, st := range steps {
		if id := fmt.Sprintf("step-%d", i); st.What == "command" && answers[id] != 1 {
			fail("%s was answered %d times", id, answers[id])
		}
	}
	if len(w.s.live) != 0 || len(w.s.groups) != 0 {
		fail("%d live, %d groups at the end", len(w.s.live), len(w.s.groups))
	}
	if err := w.checkEvents(); err != nil {
		fail("%v", err)
	}
	return problem
}

// checkEvents holds that each capsule's state changes form a chain of the
// table's, and that each capsule ends once.
func (w *world) checkEvents() error {
	state, over := map[string]State{}, map[string]int{}
	for _, e := range w.events {
		switch e := e.(type) {
		case CapsuleStateChanged:
			if e.From != state[e.ID] {
				return fmt.Errorf("%s was %s, not %s", e.ID, state[e.ID], e.From)
			}
			known := false
			for c := range change(changes) {
				to, err := next(e.From, c)
				known = known || err == nil && to == e.To
			}
			if !known {
				return fmt.Errorf("%s went from %s to %s", e.ID, e.From, e.To)
			}
			state[e.ID] = e.To
		case CapsuleEnded:
			if !e.Restart {
				over[e.ID]++
			}
		}
	}
	for id, s := range state {
		if s.Live() || over[id] != 1 {
			return fmt.Errorf("%s is %s at the end and ended %d times", id, s, over[id])
		}
	}
	return nil
}
