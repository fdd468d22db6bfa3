package wazero_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/fault"
	"inos/internal/testkit/capsules"
)

// The memories of all instances together are bounded, also as they grow.
func TestMemoryIsTakenFromABudget(t *testing.T) {
	const page = capsule.PageSize
	// grows has 2 to 16 pages, and takes all it can get.
	rt, err := wazero.New(wazero.Config{Memory: budget.New((16 + 2 + 1) * page)})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	mod := compile(t, rt, capsules.Built(t, "hostile/grows"))
	first, err := mod.Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	grown := func(in capsule.Instance, pages uint64) {
		t.Helper()
		require.Eventually(t, func() bool { return in.Memory().Len() == pages*page }, time.Minute, time.Millisecond)
	}
	grown(first, 16)
	second, err := mod.Instantiate(t.Context(), 2, 0)
	require.NoError(t, err)
	grown(second, 3)
	_, err = second.Memory().Grow(4 * page)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	_, err = mod.Instantiate(t.Context(), 3, 0)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	e := fault.Find(err)
	require.Equal(t, "node_memory", e.Code())
	require.True(t, e.Retryable())

	first.Kill()
	<-first.Done()
	third, err := mod.Instantiate(t.Context(), 4, 0)
	require.NoError(t, err, "what ended gave its memory back")
	grown(third, 16)
	for _, in := range []capsule.Instance{second, third} {
		in.Kill()
		<-in.Done()
	}
}

// A task for which the capsule cannot grow fails for the node's want of memory, which passes; for
// the capsule's own limit, which does not.
func TestATaskThatFindsNoMemoryOnTheNode(t *testing.T) {
	memory := budget.New(64 << 20)
	rt, err := wazero.New(wazero.Config{Memory: memory})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	c := open(t, compile(t, rt, capsules.Built(t, "fault")), capsule.Config{MemoryLimit: 16 << 20})
	others := 64<<20 - memory.Of(budget.Capsules) - capsule.PageSize
	require.NoError(t, memory.Take(budget.Capsules, others))
	for _, task := range []capsule.Task{{Method: "grab"}, {Method: "echo", Input: make([]byte, 4<<20)}} {
		_, err = c.Run(t.Context(), task, nil)
		require.ErrorIs(t, err, capsule.ErrNoMemory, task.Method)
		require.ErrorIs(t, err, capsule.ErrRunNoMemory, task.Method)
		e := fault.Find(err)
		require.Equal(t, "node_memory", e.Code())
		require.True(t, e.Retryable())
	}
	_, err = c.Run(t.Context(), capsule.Task{Method: "panic"}, nil)
	require.NotErrorIs(t, err, capsule.ErrNoMemory, "it wanted none")

	memory.Give(budget.Capsules, others) // the memory of the one that panicked may still be on its way back
	c = open(t, compile(t, rt, capsules.Built(t, "fault")), capsule.Config{MemoryLimit: 16 << 20})
	_, err = c.Run(t.Context(), capsule.Task{Method: "echo", Input: make([]byte, 4<<20)}, nil)
	require.NoError(t, err)
	_, err = c.Run(t.Context(), capsule.Task{Method: "grab"}, nil)
	require.ErrorIs(t, err, capsule.ErrRunNoMemory)
	require.NotErrorIs(t, err, capsule.ErrNoMemory)
}

// An output is brought home if there is room for it.
func TestOutputsAskForRoom(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{})
	full := errors.New("full")
	var asked uint64
	_, err := c.Run(t.Context(), capsule.Task{Method: "echo", Input: make([]byte, 1<<20), Room: func(n uint64) error {
		asked = n
		return full
	}}, nil)
	require.ErrorIs(t, err, full)
	require.EqualValues(t, 1<<20, asked)
	_, err = c.Run(t.Context(), capsule.Task{Method: "echo", Input: []byte("x"), Room: func(uint64) error { return nil }}, nil)
	require.NoError(t, err)
}
