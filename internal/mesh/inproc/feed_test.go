package inproc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// feedHandler is a worker that takes feeds, all of them at once, or none until told.
type feedHandler struct {
	worker
	begin chan struct{} // nil: at once
	ate   bytes.Buffer
}

func (e *feedHandler) HandleFeed(ctx context.Context, _ identity.PeerID, _ mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
	if e.begin != nil {
		<-e.begin
	}
	n, err := io.Copy(&e.ate, r)
	onTaken(uint64(n))
	if err != nil {
		return mesh.FeedEnd{Code: capsule.Refused, Message: err.Error(), Taken: uint64(n)}
	}
	return mesh.FeedEnd{Taken: uint64(n)}
}

func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		defer n.Close()
		fed := &feedHandler{}
		a, b, c := join(t, n, 1, nil), join(t, n, 2, fed), join(t, n, 3, &worker{})
		var reported uint64
		end, err := a.Feed(t.Context(), b.Self(), mesh.FeedCall{}, bytes.NewReader(make([]byte, 100_000)), func(total uint64) { reported = total })
		require.NoError(t, err)
		require.Equal(t, mesh.FeedEnd{Taken: 100_000}, end)
		require.Equal(t, 100_000, fed.ate.Len())
		require.EqualValues(t, 100_000, reported)

		for _, p := range []identity.PeerID{a.Self(), c.Self()} { // without a handler, or with one that takes none
			end, err = b.Feed(t.Context(), p, mesh.FeedCall{}, bytes.NewReader(nil), nil)
			require.NoError(t, err)
			require.Equal(t, capsule.Unsupported, end.Code)
		}

		broken := errors.New("broken")
		_, err = a.Feed(t.Context(), b.Self(), mesh.FeedCall{}, io.MultiReader(bytes.NewReader([]byte("x")), failingReader{broken}), nil)
		require.Equal(t, broken, err)

		// Nothing is read for it any more when a feed has returned, though its handler
		// still is at work.
		fed.begin = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := a.Feed(ctx, b.Self(), mesh.FeedCall{}, bytes.NewReader(make([]byte, 1<<20)), nil)
			ended <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-ended, mesh.ErrCancelled)
		close(fed.begin)
	})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
