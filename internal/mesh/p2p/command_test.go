//go:build !js

package p2p

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/mesh"
)

// A command has as long as its caller waits, whatever the two clocks say.
func TestCommandsBetweenClocksThatDiffer(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": time.Minute, "behind": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			clock := func() time.Time { return time.Now().Add(off) }
			far := start(t, 1, func(c *Config) { c.Now = clock })
			home := start(t, 2, nil)
			_, err := home.Connect(t.Context(), far.Addrs()[0])
			require.NoError(t, err)
			r, err := home.Command(t.Context(), far.Self(), mesh.CommandCall{Command: capsule.Command{
				ID: "1", Type: capsule.Pause, Target: "x", Timestamp: time.Now(), Deadline: time.Now().Add(20 * time.Second)}})
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code)
			has := far.w.came()[0].Deadline.Sub(clock())
			require.Positive(t, has)
			require.LessOrEqual(t, has, 20*time.Second)
		})
	}
}
