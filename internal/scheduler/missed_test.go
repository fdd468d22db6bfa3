package scheduler

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// More names than the mask has bits: two of them share one, and the names decide.
func TestNamesBeyondTheMask(t *testing.T) {
	x := New(Config{})
	const names = exactBits + 3*(64-exactBits)
	name := func(i int) string { return fmt.Sprintf("capability-%02d", i) }
	for i := range names {
		n := node(name(i), 1, 1)
		n.Capabilities, n.Latency = []string{name(i)}, time.Duration(names-i)*time.Millisecond
		require.NoError(t, x.Upsert(n, epoch0))
	}
	for i := range names {
		c, err := x.Choose(Request{JobID: "j", Capabilities: []string{name(i)}}, epoch0)
		require.NoError(t, err)
		require.Equal(t, "node-"+name(i), string(c.Node.ID), "and not the better one whose name shares the bit")
	}
	_, err := x.Choose(Request{JobID: "j", Capabilities: []string{name(names - 1), name(exactBits)}}, epoch0)
	require.ErrorIs(t, err, ErrNoCandidate, "no node has both")
	x.checkInvariants(t)
}

// The marks of excluded nodes do not come back when their counter begins anew.
func TestMarksDoNotComeBack(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 1, 1), epoch0))
	choose := func(exclude ...peerID) error {
		_, err := x.Choose(Request{JobID: "j", Exclude: exclude}, epoch0)
		return err
	}
	x.q.epoch = 0
	require.ErrorIs(t, choose("node-a"), ErrNoCandidate)
	require.EqualValues(t, 1, x.q.epoch)
	x.q.epoch = math.MaxUint32
	require.NoError(t, choose())
	require.EqualValues(t, 1, x.q.epoch, "the mark's own number")
}

// fickle is a Scorer that does not stand by what it said once a job is on its way.
type fickle struct {
	Formula
	loaded float64
}

func (f fickle) Score(n Node) float64 {
	if n.InFlight > 0 {
		return f.loaded
	}
	return f.Formula.Score(n)
}

func TestAScoreThatBecomesNoneIsNotBelieved(t *testing.T) {
	for _, loaded := range []float64{math.NaN(), math.Inf(1), 0, -1} {
		x := New(Config{Scorer: fickle{loaded: loaded}})
		require.NoError(t, x.Upsert(node("a", 2, 1), epoch0))
		_, ok := x.Acquire("node-a", epoch0)
		require.True(t, ok)
		c, err := x.Choose(Request{JobID: "j"}, epoch0)
		require.NoError(t, err)
		require.Equal(t, 100.0, c.Score, "%v", loaded)
		x.checkInvariants(t)
	}
}

// What jobs take on one node says nothing of another that has its own record.
func TestServiceIsANodesOwn(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("slow", 1, 1), epoch0))
	require.NoError(t, x.Upsert(node("fast", 1, 1), epoch0))
	for range 50 {
		x.Observe("node-slow", time.Second)
		x.Observe("node-fast", 10*time.Millisecond)
	}
	service := func(id peerID) time.Duration {
		n, _ := x.Node(id)
		return n.Service
	}
	require.InDelta(t, float64(time.Second), float64(service("node-slow")), float64(20*time.Millisecond))
	require.InDelta(t, float64(10*time.Millisecond), float64(service("node-fast")), float64(5*time.Millisecond))
	require.NoError(t, x.Upsert(node("new", 1, 1), epoch0))
	require.Equal(t, x.service, service("node-new"), "a new one starts with the average of all")
	require.Greater(t, service("node-new"), 100*time.Millisecond)
}

func TestExplanationOfOneAndOfFailures(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 1, 1), epoch0))
	x.RecordFailure("node-a", epoch0)
	e, err := x.Explain(Request{JobID: "j"}, epoch0, 3)
	require.NoError(t, err)
	require.Equal(t, "only candidate", e.Why)
	require.Contains(t, e.Top[0].Parts, Part{"1/(1+failures)", 0.5})
	product := 1.0
	for _, p := range e.Top[0].Parts {
		product *= p.Value
	}
	require.InDelta(t, e.Top[0].Score, product, 1e-9)
}
