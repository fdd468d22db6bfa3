package wazero_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
)

// stream makes the capsule fault do what method does with each frame of its stream.
func stream(t *testing.T, w world, method string) (id string) {
	t.Helper()
	_, err := w.Call(t.Context(), w.List()[0].ID, 0, capsule.Task{Method: "data", Args: []string{method}}, nil)
	require.NoError(t, err)
	return w.List()[0].ID
}

// A stream's work that reaches its safe points is heard of like a job's: its
// heartbeats come, and count the time it took.
func TestLongWorkOnAStreamIsAlive(t *testing.T) {
	w := newWorld(t, capsules.Built(t, "fault"))
	id := stream(t, w, "work")
	before := w.List()[0].Heartbeat
	require.NoError(t, w.Send(t.Context(), id, []byte("work on this")))
	// More heartbeats than a silent capsule lives for.
	require.Eventually(t, func() bool {
		require.Empty(t, w.ends)
		return w.List()[0].Heartbeat.Sequence > before.Sequence+40
	}, time.Minute, testBeat)
	require.Equal(t, supervisor.Healthy, w.List()[0].State)
	// It may be killed though it never comes to an end.
	r := w.Command(t.Context(), capsule.Command{Type: capsule.Kill, Target: id})
	require.Equal(t, capsule.OK, r.Code, r.Message)
}

// A frame's work counts as time, although nobody waits for it.
func TestWorkOnAStreamCounts(t *testing.T) {
	w := newWorld(t, capsules.Built(t, "fault"))
	id := stream(t, w, "room") // waits for a quarter of a second
	require.NoError(t, w.Send(t.Context(), id, []byte("x")))
	require.Eventually(t, func() bool {
		return w.List()[0].Heartbeat.CPUTime >= 200*time.Millisecond
	}, time.Minute, testBeat)
	require.Empty(t, w.ends)
}

// Where the host refuses the memory that a stream's work asks for, it goes on
// without after a while, and serves the next.
func TestRoomThatAStreamIsRefused(t *testing.T) {
	w := newWorld(t, capsules.Built(t, "fault"))
	id := stream(t, w, "room")
	require.NoError(t, w.Send(t.Context(), id, []byte("x")))
	out, err := w.Call(t.Context(), w.List()[0].ID, 0, capsule.Task{Method: "echo", Input: []byte("next")}, nil)
	require.NoError(t, err)
	require.Equal(t, "next", string(out))
	require.Empty(t, w.ends)
}
