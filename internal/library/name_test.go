package library_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/library"
	"inos/internal/testkit/wasmenc"
)

// module returns a capsule that does nothing and carries a distinguishing payload.
func module(carried string) []byte {
	return wasmenc.Module(
		wasmenc.Section(2, []byte{1}, wasmenc.Name("env"), wasmenc.Name("memory"), []byte{2, 3, 17, 0x80, 1}), // shared, 17 to 128 pages
		wasmenc.Section(7, []byte{2}, wasmenc.Name("inos_control"), []byte{3, 0}, wasmenc.Name("inos_run"), []byte{0, 0}),
		wasmenc.Section(0, wasmenc.Name("carried"), []byte(carried)))
}

func TestNamesHaveAForm(t *testing.T) {
	for _, name := range []string{"hash", "word-count", "A_1", "7", strings.Repeat("x", library.MaxName)} {
		require.NoError(t, library.CheckName(name), name)
	}
	l := newLibrary(t, 0)
	for _, name := range []string{"", " ", "my capsule", "a.b", "a/b", "-a", "_a", "é", "a\n", "hash\x00", strings.Repeat("x", library.MaxName+1),
		capsule.SumCID(nil).String()} {
		_, err := l.Publish(name, module(""))
		require.ErrorIs(t, err, library.ErrName, name)
		require.ErrorContains(t, err, "expected a word like hash")
		_, err = l.Replace(name, module(""))
		require.ErrorIs(t, err, library.ErrName, name)
	}
	require.Empty(t, l.List(), "nothing is half published")
}

func TestANameIsOneCapsules(t *testing.T) {
	l := newLibrary(t, 0)
	first, err := l.Publish("mine", module("1"))
	require.NoError(t, err)
	again, err := l.Publish("mine", module("1"))
	require.NoError(t, err, "the same bytes")
	require.Equal(t, first, again)

	_, err = l.Publish("mine", module("2"))
	require.ErrorIs(t, err, library.ErrTaken)
	require.ErrorContains(t, err, first.String(), "who has it")
	got, err := l.Resolve("mine")
	require.NoError(t, err)
	require.Equal(t, first, got)
	require.False(t, l.Has(capsule.SumCID(module("2"))), "nothing is half published")

	second, err := l.Replace("mine", module("2"))
	require.NoError(t, err)
	got, err = l.Resolve("mine")
	require.NoError(t, err)
	require.Equal(t, second, got)
	require.True(t, l.Has(first), "by its CID")
	names := map[string]string{}
	for _, e := range l.List() {
		names[e.CID] = e.Name
	}
	require.Equal(t, map[string]string{first.String(): "", second.String(): "mine"}, names)
}
