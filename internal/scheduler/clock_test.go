package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/clock/clocktest"
	"inos/internal/identity"
	"inos/internal/scheduler"
)

// Nodes expire, leases age and quarantines end by the monotonic clock: when this machine's
// clock is set, nothing happens.
func TestClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{20 * time.Second, -100 * time.Second, time.Hour, -time.Hour, 48 * time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour} {
		wall := clocktest.New(0)
		x := scheduler.New(scheduler.Config{})
		add := func(seq uint64) {
			now := wall.Now()
			require.NoError(t, x.Upsert(scheduler.Node{ID: "a", Latency: time.Millisecond, CreditCost: 1, FreeSlots: 1,
				Expires: now.Add(30 * time.Second), Sequence: seq}, now))
		}
		add(1)
		wall.Set(jump)
		now := wall.Now()
		gone := func(identity.PeerID) { t.Errorf("the node has gone after a jump of %v", jump) }
		x.Sweep(now, gone)
		c, err := x.Choose(scheduler.Request{JobID: "job"}, now)
		require.NoError(t, err, jump)
		require.Equal(t, identity.PeerID("a"), c.Node.ID)

		// A minute later it has, whatever the clock says.
		var went bool
		x.Sweep(now.Add(time.Minute), func(identity.PeerID) { went = true })
		require.True(t, went, jump)

		// So it is with a quarantine.
		add(2)
		for range 8 {
			x.RecordFailure("a", wall.Now())
		}
		require.NotEmpty(t, x.Quarantined())
		wall.Set(-jump)
		require.False(t, x.Reconsider(wall.Now()), jump)
		require.NotEmpty(t, x.Quarantined())
	}
}
