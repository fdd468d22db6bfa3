package hostile

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// Host is the runtime that lives through them, and what its tests know of it.
type Host struct {
	Runtime capsule.Runtime
	// Built is a capsule of build/capsules: hash, fault, or hostile/NAME.
	Built func(t testing.TB, name string) []byte
	// Holds is what the host itself still has, by name: Workers, mapped bytes. It must
	// come back to what it was, give or take Slack.
	Holds func() map[string]int
	Slack map[string]int
	// BoundsWords says that the host ends who waits on too many words.
	BoundsWords bool
}

const (
	beat    = 50 * time.Millisecond
	patient = 500 * time.Millisecond // for a spawn that is not answered
	// heapSlack is what Go's heap may have grown by over all cases, in bytes.
	heapSlack = 8 << 20
)

// world is a supervisor that does jobs of one good capsule again and again, and the ends
// of others that it told of.
type world struct {
	*supervisor.Supervisor
	host      Host
	good, bad capsule.CID
	ends      chan supervisor.CapsuleEnded
	served    atomic.Int64
	serving   sync.Mutex // held while a job of the good capsule is at work
}

// Test runs every case: it is named and ended, another capsule goes on answering
// meanwhile, and afterwards neither thread, memory nor goroutine is left of it.
func Test(t *testing.T, host Host) {
	hash, fault := host.Built(t, "hash"), host.Built(t, "fault")
	w := &world{host: host, good: capsule.SumCID(hash), bad: capsule.SumCID(fault), ends: make(chan supervisor.CapsuleEnded, 1000)}
	var err error
	w.Supervisor, err = supervisor.New(supervisor.Config{
		Runtime: host.Runtime, Codec: wire.Capsules{}, Blobs: capsules.ModulesOf(hash, fault), Policy: capsule.Temporary,
		Heartbeat: beat, DegradedAfter: 20, ZombieAfter: 30, KillAfter: 40,
		StartTimeout: time.Minute, CommandTimeout: time.Minute, CancelGrace: beat,
		Emit: func(e supervisor.Event) {
			if e, ok := e.(supervisor.CapsuleEnded); ok && e.CID != w.good {
				w.ends <- e
			}
		},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { _ = w.Serve(ctx) })
	defer working.Wait()
	defer stop()
	serve := func() error {
		w.serving.Lock()
		defer w.serving.Unlock()
		_, err := w.Run(ctx, w.good, supervisor.Limits{}, capsule.Task{Input: []byte("still served")}, nil)
		return err
	}
	require.NoError(t, serve())
	// The first of everything is not given back: compiled code, buffers, a spare Worker.
	w.run(t, Case{Name: "first", Task: capsule.Task{Method: "trap"}, Is: capsule.ErrTrap})
	working.Go(func() {
		for ctx.Err() == nil {
			if err := serve(); err != nil && ctx.Err() == nil {
				t.Errorf("the other capsule: %v", err)
				return
			}
			w.served.Add(1)
			time.Sleep(time.Millisecond) // a pace; nothing waits for it
		}
	})
	w.settle(t, 1<<30, nil)
	w.serving.Lock()
	require.True(t, within(20*time.Second, func() bool {
		return !slices.ContainsFunc(w.List(), func(in supervisor.Info) bool { return in.State.Live() })
	}))
	goroutines, holds, heap := runtime.NumGoroutine(), host.Holds(), heapInUse()
	w.serving.Unlock()
	for _, c := range Cases(hash) {
		t.Run(c.Name, func(t *testing.T) {
			before := w.served.Load()
			w.run(t, c)
			require.True(t, within(time.Minute, func() bool { return w.served.Load() > before+1 }), "another capsule is served")
			w.settle(t, goroutines, holds)
		})
	}
	require.Less(t, heapInUse(), heap+heapSlack)
}

// run does what c says and checks its end.
func (w *world) run(t *testing.T, c Case) {
	if c.Task.Method != "" {
		_, err := w.Run(t.Context(), w.bad, supervisor.Limits{Time: c.Time, MemoryBytes: 64 << 20}, c.Task, nil)
		require.Error(t, err)
		if c.Is != nil {
			require.ErrorIs(t, err, c.Is)
		}
		require.ErrorContains(t, err, c.Says)
		return
	}
	wasm := c.Bytes
	if wasm == nil {
		wasm = w.host.Built(t, "hostile/"+c.Name)
	}
	patience := time.Minute
	if c.Refused == capsule.Deadline {
		patience = patient
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := w.Command(ctx, capsule.Command{ID: "s", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: wasm}})
	require.Equal(t, "s", r.ID)
	if c.Refused != 0 {
		require.Equal(t, c.Refused, r.Code, r.Message)
		require.Contains(t, r.Message, c.Says)
		return
	}
	is := c.Is
	if w.host.BoundsWords && c.OnWords != nil {
		is = c.OnWords
	}
	cid := capsule.SumCID(wasm)
	for {
		select {
		case e := <-w.ends:
			if e.CID != cid {
				continue
			}
			if c.Slow != nil && errors.Is(e.Err, c.Slow) {
				return
			}
			require.ErrorIs(t, e.Err, is)
			require.ErrorContains(t, e.Err, c.Says)
			return
		case <-t.Context().Done():
			t.Fatal("it was never ended")
		}
	}
}

// settle ends what is left and waits until the host has let all of it go.
func (w *world) settle(t *testing.T, goroutines int, holds map[string]int) {
	t.Helper()
	w.serving.Lock()
	defer w.serving.Unlock()
	for _, in := range w.List() {
		if in.State.Live() {
			w.Command(t.Context(), capsule.Command{Type: capsule.Kill, Target: in.ID})
		}
	}
	var left map[string]int
	back := func() bool {
		runtime.GC()
		left = w.host.Holds()
		for name, n := range holds {
			if left[name] > n+w.host.Slack[name] {
				return false
			}
		}
		// Three: timers of the test's own.
		return runtime.NumGoroutine() <= goroutines+3
	}
	if !within(20*time.Second, back) {
		stacks := make([]byte, 1<<20)
		t.Fatalf("left: %v, was %v; %d goroutines, were %d:\n%s", left, holds, runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
	}
}

// within looks until it is so, or for limit.
func within(limit time.Duration, so func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(limit); !so(); <-tick.C {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
