package p2p

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// Who counts an output hears once that it was let go: when it is sent, and when its caller is gone.
func TestOutputsAreLetGo(t *testing.T) {
	letGo := make(chan struct{}, 8)
	a, b := pair(t, 120, nil)
	b.w.sent = func() { letGo <- struct{}{} }
	out, err := a.RunJob(t.Context(), b.Self(), call("", make([]byte, 1<<20)), nil)
	require.NoError(t, err)
	require.Len(t, out.Output, 1<<20)
	require.Nil(t, out.Sent)
	<-letGo

	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := a.RunJob(ctx, b.Self(), call("hang", nil), nil)
		failed <- err
	}()
	<-b.w.started
	cancel()
	require.ErrorIs(t, <-failed, mesh.ErrCancelled)
	<-letGo
	require.NoError(t, b.Close())
	require.Empty(t, letGo)
}

// A capsule that there is no room for does not come, and why is heard.
func TestFetchesAskForRoom(t *testing.T) {
	a, b := pair(t, 122, nil)
	blob := makeBlob(t, 1<<20, 1<<16)
	a.w.add(blob)
	full := errors.New("full")
	var asked uint64
	_, err := b.FetchCapsule(t.Context(), a.Self(), mesh.FetchCall{CID: blob.Manifest.CID, Room: func(n uint64) error {
		asked = n
		return full
	}})
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, err, mesh.ErrNoRoom)
	require.EqualValues(t, 1<<20, asked)
	got, err := b.FetchCapsule(t.Context(), a.Self(), mesh.FetchCall{CID: blob.Manifest.CID, Room: func(uint64) error { return nil }})
	require.NoError(t, err)
	require.Equal(t, blob.Wasm, got.Wasm)
}
