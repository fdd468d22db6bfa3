package p2p

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// The input of a job that the node refuses stays with its caller, but for what
// QUIC's window lets out before the answer is there.
func TestRefusedBeforeItsInput(t *testing.T) {
	const size = 128 << 20
	a := start(t, 1, nil)
	b := start(t, 2, nil, a)
	until(t, b, connected(a))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job := call("refuse", make([]byte, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, err := b.RunJob(ctx, a.Self(), job, nil)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Equal(t, mesh.JobRejected, out.Code)
	require.Equal(t, "ledger_missing", out.Reason)
	// Both ends are in this process: a whole input would be allocated twice.
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/2))

	// The connection is as good as before.
	out, err = b.RunJob(ctx, a.Self(), call("upper", []byte("abc")), nil)
	require.NoError(t, err)
	require.Equal(t, "ABC", string(out.Output))
}

// A caller that goes away in the middle of its input ends the job.
func TestCancelledWithinItsInput(t *testing.T) {
	a := start(t, 1, func(c *Config) { c.StallTimeout = time.Second })
	b := start(t, 2, nil, a)
	until(t, b, connected(a))
	ctx, cancel := context.WithCancel(t.Context())
	job := call("upper", make([]byte, 64<<20))
	ended := make(chan error, 1)
	go func() { _, err := b.RunJob(ctx, a.Self(), job, nil); ended <- err }()
	cancel()
	require.ErrorIs(t, <-ended, mesh.ErrCancelled)
	out, err := b.RunJob(t.Context(), a.Self(), call("upper", []byte("abc")), nil)
	require.NoError(t, err)
	require.Equal(t, "ABC", string(out.Output))
}
