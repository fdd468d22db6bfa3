package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/testkit"
)

func TestFindAsksTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alone := startOn(t, nil, nil)
		_, err := alone.Find(t.Context(), "gpu")
		require.ErrorIs(t, err, ErrNoMesh)

		gpu := func(c *Config) { c.Capabilities = []string{"gpu"} }
		home := w.start("home", gpu)
		near := w.start("near", nil)
		w.meet(home, near)
		w.net.SetDrop(home.Self(), testkit.NamedPeer("far"), true) // its gossip is lost
		far := w.start("far", gpu)
		time.Sleep(time.Second)
		_, known := infoOf(t, home.Kernel, far.Self())
		require.False(t, known, "nobody has told")
		w.net.SetDrop(home.Self(), far.Self(), false)
		w.net.SetLatency(home.Self(), far.Self(), 20*time.Millisecond)

		for _, again := range []bool{false, true} {
			rows, err := home.Find(t.Context(), "gpu")
			require.NoError(t, err)
			require.Len(t, rows, 1, "near has no such thing, and home is not its own find")
			require.Equal(t, far.Self(), rows[0].Profile.Peer)
			if again { // the first time its profile may come meanwhile
				require.True(t, rows[0].Heard)
			}
			require.True(t, rows[0].Measured && rows[0].Connected)
			require.Equal(t, 40*time.Millisecond, rows[0].Latency)
			require.Positive(t, rows[0].Score)
		}
		rows, err := home.Find(t.Context(), "quantum")
		require.NoError(t, err)
		require.Empty(t, rows)

		names, err := home.Names(t.Context(), []identity.PeerID{home.Self(), far.Self(), testkit.NamedPeer("nobody")})
		require.NoError(t, err)
		require.Equal(t, map[identity.PeerID]string{home.Self(): "home", far.Self(): "far"}, names)
	})
}

// The first peer makes a node part of the mesh, whoever dialled and whenever; the
// loss of the last one ends that.
func TestJoinedFollowsThePeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, one, two := w.start("home", nil), w.start("one", nil), w.start("two", nil)
		events, cancel := home.Subscribe(256)
		defer cancel()
		heard := func() (names []string) {
			synctest.Wait()
			for len(events) > 0 {
				switch e := (<-events).(type) {
				case Joined, Parted:
					names = append(names, e.Name())
				}
			}
			return names
		}
		require.ErrorIs(t, home.Join(t.Context(), home.mesh, []string{"/memory/nobody"}), ErrBootstrap)
		require.Empty(t, heard())
		w.meet(one, home) // the others dial
		require.Equal(t, []string{"mesh:joined"}, heard())
		w.meet(home, two)
		w.net.SetDown(one.Self(), true)
		require.Empty(t, heard(), "two is still there")
		w.net.SetDown(two.Self(), true)
		require.Equal(t, []string{"mesh:parted"}, heard())
		w.net.SetDown(two.Self(), false)
		w.meet(home, two)
		require.Equal(t, []string{"mesh:joined"}, heard())
	})
}
