package library_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/library"
	"inos/internal/mesh"
)

func newLibrary(t *testing.T, capacity uint64) *library.Library {
	t.Helper()
	return newLibraryOf(t, capacity, nil)
}

func newLibraryOf(t *testing.T, capacity uint64, memory *budget.Memory) *library.Library {
	t.Helper()
	l, err := library.New(library.Config{
		Sign: func(m capsule.Manifest) ([]byte, error) { return []byte(m.CID.String()), nil },
		Verify: func(b []byte) (capsule.Manifest, identity.PeerID, error) {
			cid, err := capsule.ParseCID(string(b))
			return capsule.Manifest{CID: cid}, "publisher", err
		},
		Capacity: capacity,
		Memory:   memory,
	})
	require.NoError(t, err)
	return l
}

// blob is a capsule from elsewhere. Accept does not inspect it; its compiler does.
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
	s := library.NewImages(5, nil)
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

// said is a manifest of publisher's that the library of these tests decodes.
func said(publisher, text string, limit time.Duration) mesh.Blob {
	return mesh.Blob{Wasm: []byte(text), SignedManifest: []byte(publisher + " " + capsule.SumCID([]byte(text)).String() + " " + limit.String())}
}

func publishers(t *testing.T) *library.Library {
	l, err := library.New(library.Config{
		Self: "self",
		Sign: func(m capsule.Manifest) ([]byte, error) { return []byte("self " + m.CID.String() + " 0s"), nil },
		Verify: func(b []byte) (capsule.Manifest, identity.PeerID, error) {
			f := strings.Fields(string(b))
			cid, err := capsule.ParseCID(f[1])
			require.NoError(t, err)
			limit, err := time.ParseDuration(f[2])
			return capsule.Manifest{CID: cid, TimeLimit: limit, Name: "\x1b[2J" + f[0]}, identity.PeerID(f[0]), err
		},
	})
	require.NoError(t, err)
	return l
}

// A manifest of an unknown publisher counts only for callers that trust him, in any order of
// arrival.
func TestAManifestIsItsPublishersOwn(t *testing.T) {
	l := publishers(t)
	cid := capsule.SumCID([]byte("abc"))
	by := func(who ...identity.PeerID) mesh.Blob {
		b, err := l.CapsuleOf(t.Context(), cid, func(p identity.PeerID) bool { return slices.Contains(who, p) })
		require.NoError(t, err)
		require.Equal(t, "abc", string(b.Wasm))
		require.Equal(t, cid, b.Manifest.CID)
		require.NotContains(t, b.Manifest.Name, "\x1b", "as it is listed")
		return b
	}
	require.NoError(t, l.Accept(said("stranger", "abc", 1)))
	require.Zero(t, by().Manifest.TimeLimit)
	require.Empty(t, by("friend").Publisher)
	_, m, err := l.Get(t.Context(), cid)
	require.NoError(t, err)
	require.Zero(t, m.TimeLimit)

	require.NoError(t, l.Accept(said("friend", "abc", time.Minute)))
	require.Equal(t, time.Minute, by("friend").Manifest.TimeLimit)
	require.EqualValues(t, "friend", by("friend").Publisher)
	require.NoError(t, l.Accept(said("friend", "abc", time.Hour)), "says something else now")
	require.Equal(t, time.Hour, by("friend").Manifest.TimeLimit)
	for i := range 100 {
		require.NoError(t, l.Accept(said(fmt.Sprint("crowd", i), "abc", 1)))
	}
	require.Zero(t, by("friend").Manifest.TimeLimit, "bounded")
	require.EqualValues(t, 1, by("crowd99").Manifest.TimeLimit)

	// This node publishes what it announces, even when the bytes came from elsewhere.
	wasm, err := os.ReadFile("../../build/capsules/hash.wasm")
	require.NoError(t, err, "make capsules")
	cid = capsule.SumCID(wasm)
	l.Announce("hash", cid, func(context.Context) ([]byte, error) { return wasm, nil })
	require.NoError(t, l.Accept(said("stranger", string(wasm), 1)))
	b, err := l.Capsule(t.Context(), cid)
	require.NoError(t, err)
	require.EqualValues(t, "self", b.Publisher)
	_, m, err = l.Get(t.Context(), cid)
	require.NoError(t, err)
	require.Equal(t, "hash", m.Name)
	require.Zero(t, m.TimeLimit)
}
