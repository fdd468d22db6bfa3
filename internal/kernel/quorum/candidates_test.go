package quorum

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// indexOf holds nodes with a slot each, the first the nearest.
func indexOf(t *testing.T, now time.Time, owners []string) (*scheduler.Index, func(identity.PeerID) identity.PeerID) {
	x := scheduler.New(scheduler.Config{})
	of := map[identity.PeerID]identity.PeerID{}
	for i, owner := range owners {
		id := identity.PeerID(fmt.Sprintf("n%03d", i))
		of[id] = identity.PeerID(owner)
		require.NoError(t, x.Upsert(scheduler.Node{
			ID: id, Latency: time.Duration(i+1) * time.Millisecond, CreditCost: 1, FreeSlots: 1,
			Expires: now.Add(time.Hour), Sequence: 1,
		}, now))
	}
	return x, func(id identity.PeerID) identity.PeerID { return of[id] }
}

// Candidates looks past the best nodes when one owner has all of those, but not for ever.
func TestCandidatesHaveOwnersOfTheirOwn(t *testing.T) {
	now := time.Now()
	fleet := func(n int, others ...string) (owners []string) {
		for range n {
			owners = append(owners, "fleet")
		}
		return append(owners, others...)
	}
	for _, row := range []struct {
		name   string
		owners []string
		n      int
		want   []identity.PeerID
		err    error
	}{
		{"owners of their own", []string{"", "", ""}, 2, []identity.PeerID{"n000", "n001", "n002"}, nil},
		{"past an owner's", fleet(2, "", ""), 2, []identity.PeerID{"n000", "n002", "n003"}, nil},
		{"past the first that are looked at", fleet(100, ""), 2, []identity.PeerID{"n000", "n100"}, nil},
		{"past all that are looked at", fleet(searchAtOnce*searchTimes, ""), 2, nil, ErrReplicas},
		{"too few", []string{"", ""}, 3, nil, ErrReplicas},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, owner := indexOf(t, now, row.owners)
			order, best, err := Candidates(x, owner, scheduler.Request{JobID: "job"}, row.n, now)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, identity.PeerID("n000"), best.Node.ID)
			var got []identity.PeerID
			for _, p := range order {
				got = append(got, p.Node)
				require.EqualValues(t, 1, p.Price)
				require.Positive(t, p.Score)
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestCandidatesWaitForSlots(t *testing.T) {
	now := time.Now()
	x, owner := indexOf(t, now, []string{"", ""})
	_, ok := x.Acquire("n001", now)
	require.True(t, ok)
	_, _, err := Candidates(x, owner, scheduler.Request{JobID: "job"}, 2, now)
	require.ErrorIs(t, err, matchmaker.ErrBusy)
	_, _, err = Candidates(x, owner, scheduler.Request{JobID: "job"}, 3, now)
	require.ErrorIs(t, err, ErrReplicas)
	_, _, err = Candidates(x, owner, scheduler.Request{JobID: "job", GeoPrefix: "!"}, 1, now)
	require.ErrorIs(t, err, scheduler.ErrRequest)
}
