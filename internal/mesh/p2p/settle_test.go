package p2p

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// outcomeHandler hands every job's outcome over and says so.
type outcomeHandler struct {
	mesh.Handler
	output []byte
	gone   chan struct{}
}

func (p outcomeHandler) HandleJob(_ context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	defer close(p.gone)
	return mesh.JobOutcome{JobID: call.Job.ID, Output: p.output, OutputCID: capsule.SumCID(p.output).String()}
}

// A caller gets the whole outcome of a job also from a node that closes as soon as it has
// settled: an input behind it or not, over WebTransport and over QUIC.
func TestSettledBeforeClosed(t *testing.T) {
	for name, c := range map[string]struct {
		listen string
		input  []byte
	}{
		"webtransport": {listenWT, nil},
		"with input":   {listenWT, make([]byte, 100_000)},
		"quic":         {"/ip4/127.0.0.1/udp/0/quic-v1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			there := outcomeHandler{output: make([]byte, 4<<20), gone: make(chan struct{})}
			b := start(t, 400, func(cfg *Config) { cfg.Handler, cfg.Listen = there, []string{c.listen} })
			a := start(t, 401, nil)
			_, err := a.Connect(t.Context(), b.Addrs()[0])
			require.NoError(t, err)
			closed := make(chan error, 1)
			go func() {
				<-there.gone
				if err := b.Settle(context.Background()); err != nil {
					closed <- err
					return
				}
				closed <- b.Close()
			}()
			out, err := a.RunJob(t.Context(), b.Self(), call("x", c.input), nil)
			require.NoError(t, err)
			require.Len(t, out.Output, len(there.output))
			require.NoError(t, <-closed)
			require.NoError(t, b.Settle(t.Context()), "nothing is on its way")
		})
	}
}
