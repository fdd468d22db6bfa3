//go:build !js

package node

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
)

// A capsule that has ended leaves nothing behind, though nobody closed the streams out of
// it and the source of the stream into it gave nothing any more: after 1,000 of them, here
// and on another node, there are as many goroutines and as much memory as before.
func TestAThousandCapsulesLeaveNothing(t *testing.T) {
	home, far := neighbours(t, 97)
	wasm := capsules.Built(t, "wordcount")
	cid, err := home.Library.Publish("wordcount", wasm)
	require.NoError(t, err)
	round := func(on *peer) {
		id := command(t, home, on, capsule.Command{Type: capsule.Spawn,
			Spawn: &capsule.SpawnParams{CID: cid.String(), CreditLedgerID: string(home.Signer.Ledger())}}).CapsuleID
		if on == home {
			_, err := home.Kernel.Listen("", id)
			require.NoError(t, err)
		}
		feed(t, home, on, id, "to be or not to be")
		// A source that is never done: the pipe ends with the capsule.
		r, w := io.Pipe()
		fed := make(chan error, 1)
		go func() {
			_, err := home.Kernel.Feed(t.Context(), on.mesh.Self(), id, r, lifecycle.FeedOptions{})
			fed <- err
		}()
		_, err := io.Copy(w, strings.NewReader(" that is"))
		require.NoError(t, err)
		command(t, home, on, capsule.Command{Type: capsule.Kill, Target: id})
		require.Error(t, <-fed)
	}
	settled := func() (goroutines int, heap uint64) {
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		return runtime.NumGoroutine(), mem.HeapAlloc
	}
	for _, c := range []struct {
		on     *peer
		rounds int
	}{{home, 1000}, {far, 100}} {
		for range 2 * supervisor.DefaultKeepEnded { // as many as stay listed
			round(c.on)
		}
		goroutines, heap := settled()
		for range c.rounds {
			round(c.on)
		}
		require.Eventually(t, func() bool {
			g, h := settled()
			return g <= goroutines+20 && h <= heap+16<<20
		}, 30*time.Second, 100*time.Millisecond, "%d goroutines and %d bytes before", goroutines, heap)
		require.LessOrEqual(t, len(c.on.Supervisor.List()), supervisor.DefaultKeepEnded)
	}
}
