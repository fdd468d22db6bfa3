package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func count[T Event](w *world) (n int, last T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e, ok := e.(T); ok {
			n, last = n+1, e
		}
	}
	return n, last
}

func TestACapsuleGetsTheMemoryItAsksFor(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(hungry)
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 4*capsule.PageSize, w.info(id).MemoryBytes)
		require.EqualValues(t, 2, w.info(id).Epoch)
		n, e := count[MemoryResized](w)
		require.Equal(t, 1, n)
		require.Equal(t, MemoryResized{ID: id, From: capsule.PageSize, To: 4 * capsule.PageSize, Epoch: 2, At: e.At}, e)
		n, _ = count[MemoryRefused](w)
		require.Zero(t, n)
	})
}

func TestACapsuleIsRefusedWhatItsLimitDoesNotAllow(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(greedy)
		time.Sleep(10 * time.Second)
		n, e := count[MemoryRefused](w)
		require.Equal(t, 1, n, "once, however often it asks")
		require.EqualValues(t, 100*capsule.PageSize, e.Wanted)
		require.Equal(t, Healthy, w.info(id).State)
		require.EqualValues(t, 1, w.info(id).Epoch)
	})
}

// Nor is a memory that does not grow asked to for each heartbeat.
func TestWhatDoesNotGrowIsRefusedOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(cramped)
		time.Sleep(10 * time.Second)
		n, e := count[MemoryRefused](w)
		require.Equal(t, 1, n, "once, however often it asks")
		require.EqualValues(t, 4*capsule.PageSize, e.Wanted)
		require.Contains(t, e.Reason, "no room")
		require.Equal(t, Healthy, w.info(id).State)
	})
}

func TestMemoryLeftToOthers(t *testing.T) {
	bubble(t, Config{FixedMemory: true}, func(t *testing.T, w *world) {
		id := w.spawn(hungry)
		time.Sleep(3 * time.Second)
		require.EqualValues(t, capsule.PageSize, w.info(id).MemoryBytes)
		require.True(t, w.info(id).Heartbeat.NeedsMoreMem)
	})
}
