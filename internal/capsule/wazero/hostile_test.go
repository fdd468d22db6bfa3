package wazero_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// world is a supervisor over wazero, and what it told.
type world struct {
	*supervisor.Supervisor
	ends chan supervisor.CapsuleEnded
}

const testBeat = 50 * time.Millisecond

func newWorld(t *testing.T, modules ...[]byte) world {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	w := world{ends: make(chan supervisor.CapsuleEnded, 1000)}
	w.Supervisor, err = supervisor.New(supervisor.Config{
		Runtime: rt, Codec: wire.Capsules{}, Blobs: capsules.ModulesOf(modules...), Policy: capsule.Temporary,
		Heartbeat: testBeat, DegradedAfter: 10, ZombieAfter: 20, KillAfter: 30,
		StartTimeout: time.Minute, CommandTimeout: time.Minute, CancelGrace: 50 * time.Millisecond,
		Emit: func(e supervisor.Event) {
			if e, ok := e.(supervisor.CapsuleEnded); ok {
				w.ends <- e
			}
		},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = w.Serve(ctx) })
	t.Cleanup(func() {
		stop()
		serving.Wait()
		require.NoError(t, rt.Close())
	})
	r := w.Command(t.Context(), capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: modules[0]}})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	return w
}

// code is how many bytes of compiled code the process has mapped; 0 where that is not
// known.
func code() (n uint64) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var may, rest string
		if _, err := fmt.Sscanf(line, "%x-%x %s %s %s %s", &from, &to, &may, &rest, &rest, &rest); err == nil && may == "r-xp" && rest == "0" {
			n += to - from // it belongs to no file
		}
	}
	return n
}

// Whatever a capsule does: see package hostile.
func TestHostileCapsules(t *testing.T) {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	hostile.Test(t, hostile.Host{
		Runtime: rt, Built: capsules.Built, BoundsWords: true,
		Holds: func() map[string]int {
			return map[string]int{"memories, in bytes": int(wazero.Reserved()), "code, in bytes": int(code())}
		},
		Slack: map[string]int{"code, in bytes": 4 << 20}, // of the modules that are kept
	})
	require.NoError(t, rt.Close())
}

func TestResidue(t *testing.T) {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	hostile.TestResidue(t, hostile.Host{Runtime: rt, Built: capsules.Built})
	require.NoError(t, rt.Close())
}
