package library_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/library"
	"inos/internal/mesh"
)

func newLibrary(t *testing.T, capacity uint64) *library.Library {
	t.Helper()
	l, err := library.New(library.Config{
		Sign: func(m capsule.Manifest) ([]byte, error) { return []byte(m.CID.String()), nil },
		Verify: func(b []byte) (capsule.Manifest, identity.PeerID, error) {
			cid, err := capsule.ParseCID(string(b))
			return capsule.Manifest{CID: cid}, "publisher", err
		},
		Capacity: capacity,
	})
	require.NoError(t, err)
	return l
}

// blob is a capsule from elsewhere; Accept does not look inside it, whoever
// compiles it does.
func blob(text string) mesh.Blob {
	return mesh.Blob{SignedManifest: []byte(capsule.SumCID([]byte(text)).String()), Wasm: []byte(text)}
}

func TestAcceptChecksEveryByte(t *testing.T) {
	l := newLibrary(t, 0)
	b := blob("abc")
	require.NoError(t, l.Accept(b))
	got, m, err := l.Get(t.Context(), capsule.SumCID([]byte("abc")))
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	require.Equal(t, capsule.SumCID([]byte("abc")), m.CID)

	b.Wasm = []byte("abd")
	require.ErrorIs(t, l.Accept(b), library.ErrMismatch)
	b.SignedManifest = []byte("forged")
	require.ErrorIs(t, l.Accept(b), capsule.ErrCID)
}

func TestCapacityIsKept(t *testing.T) {
	l := newLibrary(t, 5)
	require.NoError(t, l.Accept(blob("abc")))
	require.NoError(t, l.Accept(blob("abc")), "again is no more")
	require.ErrorIs(t, l.Accept(blob("xyz")), library.ErrFull)
	require.NoError(t, l.Accept(blob("xy")))
}

func TestAnnouncedCapsulesLoadOnceAndAreChecked(t *testing.T) {
	l := newLibrary(t, 0)
	cid := capsule.SumCID([]byte("right"))
	calls := 0
	l.Announce("name", cid, func(context.Context) ([]byte, error) {
		if calls++; calls == 1 {
			return nil, errors.New("no network")
		}
		return []byte("wrong"), nil
	})
	got, err := l.Resolve("name")
	require.NoError(t, err)
	require.Equal(t, cid, got)
	require.True(t, l.Has(cid))
	_, err = l.Capsule(t.Context(), cid)
	require.ErrorContains(t, err, "no network", "a failure is not kept")
	_, err = l.Capsule(t.Context(), cid)
	require.ErrorIs(t, err, library.ErrMismatch)

	_, err = l.Resolve("nobody")
	require.ErrorIs(t, err, library.ErrUnknown)
	require.ErrorContains(t, err, "known: name")
	_, err = l.Capsule(t.Context(), capsule.SumCID(nil))
	require.ErrorIs(t, err, library.ErrUnknown)
}

func TestPublishInspects(t *testing.T) {
	_, err := newLibrary(t, 0).Publish("x", []byte("not wasm"))
	require.ErrorIs(t, err, capsule.ErrNotWasm)
}

func TestImagesForgetTheOldest(t *testing.T) {
	s := library.NewImages(5)
	put := func(text string) error { return s.PutImage(t.Context(), capsule.SumCID([]byte(text)), []byte(text)) }
	has := func(text string) bool {
		got, ok, err := s.GetImage(t.Context(), capsule.SumCID([]byte(text)))
		require.NoError(t, err)
		require.Equal(t, ok, string(got) == text)
		return ok
	}
	require.NoError(t, put("abc"))
	require.NoError(t, put("de"))
	require.True(t, has("abc"))
	require.NoError(t, put("f"))
	require.False(t, has("abc"))
	require.True(t, has("de"))
	require.True(t, has("f"))
	require.ErrorIs(t, put("123456"), library.ErrFull)
	require.ErrorIs(t, s.PutImage(t.Context(), capsule.SumCID(nil), []byte("x")), library.ErrMismatch)
}
