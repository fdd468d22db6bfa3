package p2p

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// reader is a worker that says how it went with a job's input.
type reader struct {
	*worker
	read chan error
}

func (r reader) HandleJob(ctx context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	_, err := call.ReadInput(ctx)
	r.read <- err
	return mesh.JobOutcome{}
}

// drip sends the request of a job and then its input byte by byte, until the node has
// had enough.
func drip(t *testing.T, from, to *node, length int) {
	s, end, err := from.open(t.Context(), to.Self(), JobProtocol)
	require.NoError(t, err)
	request, err := from.request(call("drip", make([]byte, length)))
	require.NoError(t, err)
	require.NoError(t, s.send(request))
	one, err := wire.EncodeJobFrame(wire.JobFrame{Input: []byte{1}})
	require.NoError(t, err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range length {
		<-tick.C
		if err = s.send(one); err != nil {
			break
		}
	}
	require.Error(t, err, "nobody read it to its end")
	end(err)
}

// An input that comes byte by byte, each within the silence allowed, does not hold its
// slot until the deadline of the job.
func TestDrippingInputIsGivenUp(t *testing.T) {
	read := make(chan error, 1)
	a := start(t, 420, func(c *Config) {
		c.Silence = 3 * time.Second
		c.Handler = reader{c.Handler.(*worker), read}
	})
	b := start(t, 421, nil, a)
	until(t, b, connected(a))
	drip(t, b, a, 10_000)
	err := <-read
	require.ErrorIs(t, err, mesh.ErrTimeout)
	require.ErrorContains(t, err, "of 10000 bytes of input")
}

// The end of a job's context reaches a read that begins after it, too.
func TestACancelledReadStaysCancelled(t *testing.T) {
	read := make(chan error, 1)
	a := start(t, 422, func(c *Config) { c.Handler = hasty{reader{c.Handler.(*worker), read}} })
	b := start(t, 423, nil, a)
	until(t, b, connected(a))
	s, end, err := b.open(t.Context(), a.Self(), JobProtocol)
	require.NoError(t, err)
	defer end(context.Canceled)
	request, err := b.request(call("late", make([]byte, 1000)))
	require.NoError(t, err)
	require.NoError(t, s.send(request))
	require.ErrorIs(t, <-read, context.Canceled)
}

// hasty cancels the reading just when it begins.
type hasty struct{ reader }

func (l hasty) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, report func(mesh.Progress)) mesh.JobOutcome {
	ctx, cancel := context.WithCancel(ctx)
	body := call.Body
	call.Body = func(ctx context.Context) ([]byte, error) {
		time.AfterFunc(20*time.Millisecond, cancel)
		return body(ctx)
	}
	return l.reader.HandleJob(ctx, from, call, fetch, report)
}
