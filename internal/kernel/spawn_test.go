package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/testkit"
)

// A capsule may use what the policy of its node allows and its node has: asked for
// from the console or from another node, and refused by the same codes.
func TestCapabilitiesOfASpawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{}, Policy: governance.Policy{
			Lifecycle: []governance.LifecycleRule{{Commands: []capsule.CommandType{capsule.Spawn}}}, DenyCapabilities: []string{"gpu"},
		}})
		require.NoError(t, err)
		home := w.start("home", nil)
		far := w.start("far", func(c *Config) { c.Gate, c.Capabilities = gate, []string{"simd", "gpu"} })
		w.meet(home, far)
		require.NoError(t, far.blobs.Accept(testBlob()))
		for _, from := range []*member{far, home} {
			for _, c := range []struct {
				asks   []string
				code   capsule.ReplyCode
				reason string
			}{
				{nil, capsule.OK, ""}, {[]string{"simd"}, capsule.OK, ""},
				{[]string{"simd", "gpu"}, capsule.Denied, "capability_denied"},
				{[]string{"simd", "threads"}, capsule.Refused, "capability_missing"},
			} {
				before := len(far.capsules.commands)
				r, err := from.Command(t.Context(), far.Self(), capsule.Command{ID: "1", Type: capsule.Spawn, Timestamp: time.Now(),
					Spawn: &capsule.SpawnParams{CID: capsule.SumCID(testWasm).String(), Capabilities: c.asks}})
				require.NoError(t, err)
				require.Equal(t, c.code, r.Code, "%v: %s", c.asks, r.Message)
				require.Equal(t, c.reason, r.Reason)
				require.Equal(t, c.code == capsule.OK, len(far.capsules.commands) > before)
			}
		}
	})
}

// A group is its spawner's: another node's of the same name is another.
func TestGroupsAreTheSpawners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{}, Policy: governance.Policy{
			Lifecycle: []governance.LifecycleRule{{Commands: []capsule.CommandType{capsule.Spawn}}},
		}})
		require.NoError(t, err)
		one, two, far := w.start("one", nil), w.start("two", nil), w.start("far", func(c *Config) { c.Gate = gate })
		require.NoError(t, far.blobs.Accept(testBlob()))
		spawn := func(m *member, on identity.PeerID) {
			p := &capsule.SpawnParams{CID: capsule.SumCID(testWasm).String(), Group: "g", Strategy: capsule.RestForOne, Restart: capsule.Permanent}
			r, err := m.Command(t.Context(), on, capsule.Command{ID: "1", Type: capsule.Spawn, Timestamp: time.Now(), Spawn: p})
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code, r.Message)
			require.Equal(t, "g", p.Group, "the caller's own is left alone")
		}
		w.meet(one, far)
		w.meet(two, far)
		spawn(one, far.Self())
		spawn(two, far.Self())
		spawn(far, "")
		var groups []string
		for _, c := range far.capsules.commands {
			groups = append(groups, c.Spawn.Group)
			require.Equal(t, capsule.RestForOne, c.Spawn.Strategy)
			require.Equal(t, capsule.Permanent, c.Spawn.Restart)
		}
		require.Equal(t, []string{string(one.Self()) + "/g", string(two.Self()) + "/g", "g"}, groups)
	})
}
