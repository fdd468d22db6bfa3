package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWait(t *testing.T) {
	n := Node{Slots: 4, Service: time.Second}
	require.Zero(t, n.Wait(), "an idle node keeps nobody waiting")
	n.QueueLength, n.InFlight = 3, 1
	require.Equal(t, time.Second, n.Wait())
	n.Service = 0
	require.Equal(t, DefaultService, n.Wait())
	n.Slots, n.QueueLength, n.Service = 0, 1<<32-1, time.Hour
	require.Positive(t, n.Wait(), "no overflow")
	score := Formula{}.Score(n)
	require.True(t, validScore(score))
}

// Without load the score is the documented formula, to the bit; a job on its way
// lowers it and its end restores it.
func TestWaitEntersTheScore(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 2, 1), epoch0))
	score := func() float64 {
		c, err := x.Choose(Request{JobID: "j"}, epoch0)
		require.NoError(t, err)
		return c.Score
	}
	require.Equal(t, 1000.0/10, score())
	l, ok := x.Acquire("node-a", epoch0)
	require.True(t, ok)
	require.Equal(t, 1000.0/(10+100/2), score(), "one job ahead, 100 ms each, two slots")
	e, err := x.Explain(Request{JobID: "j"}, epoch0, 1)
	require.NoError(t, err)
	product := 1.0
	for _, p := range e.Top[0].Parts {
		product *= p.Value
	}
	require.InDelta(t, e.Top[0].Score, product, 1e-9, "the parts are the score")
	x.Observe("node-a", 20*time.Millisecond)
	require.Equal(t, 1000.0/(10+20/2), score(), "jobs take 20 ms there")
	x.Release(l)
	require.Equal(t, 1000.0/10, score())

	n := node("a", 2, 2)
	n.QueueLength = 4
	require.NoError(t, x.Upsert(n, epoch0))
	require.Equal(t, 1000.0/(10+20*4/2), score())
	x.Observe("node-a", -1)
	x.Observe("nobody", time.Second)
	require.Equal(t, 1000.0/(10+20*4/2), score())
	x.checkInvariants(t)
}

// Jobs that come at once spread over nodes that are alike in worth, instead of
// filling one after the other.
func TestJobsSpread(t *testing.T) {
	x := New(Config{})
	for _, id := range []string{"a", "b", "c", "d"} {
		n := node(id, 8, 1)
		n.Latency = 10*time.Millisecond + time.Duration(id[0]-'a')*time.Millisecond
		require.NoError(t, x.Upsert(n, epoch0))
	}
	for i := range 8 {
		c, err := x.Choose(Request{JobID: string(rune('0' + i))}, epoch0)
		require.NoError(t, err)
		_, ok := x.Acquire(c.Node.ID, epoch0)
		require.True(t, ok)
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		n, _ := x.Node("node-" + peerID(id))
		require.EqualValues(t, 2, n.InFlight, id)
	}
}
