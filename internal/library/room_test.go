package library_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/library"
	"inos/internal/mesh"
)

// guest returns a capsule of n bytes from elsewhere.
func guest(origin, text string, n int) mesh.Blob {
	b := blob(text + strings.Repeat(".", n-len(text)))
	b.Origin = origin
	return b
}

func has(l *library.Library, b mesh.Blob) bool { return l.Has(capsule.SumCID(b.Wasm)) }

// However many capsules one origin sends, a new capsule is accepted, and those of others and of
// this node stay.
func TestJunkFillsNothingForEver(t *testing.T) {
	l := newLibrary(t, 16<<20)
	own, err := l.Publish("own", module("own"))
	require.NoError(t, err)
	l.Announce("later", capsule.SumCID([]byte("later")), nil)
	other := guest("other", "other", 1<<20)
	require.NoError(t, l.Accept(other))
	for i := range 64 {
		require.NoError(t, l.Accept(guest("junk", fmt.Sprint(i), 1<<20)))
		require.True(t, has(l, other), i)
	}
	newcomer := guest("newcomer", "new", 2<<20)
	require.NoError(t, l.Accept(newcomer))
	for i := range 64 {
		require.NoError(t, l.Accept(guest("junk", fmt.Sprint("again", i), 1<<20)))
	}
	require.True(t, has(l, newcomer))
	require.True(t, has(l, other))
	require.True(t, l.Has(own))
	require.True(t, l.Has(capsule.SumCID([]byte("later"))))
	var kept uint64
	for _, e := range l.List() {
		kept += e.Size
	}
	require.LessOrEqual(t, kept, uint64(16<<20))
	require.Greater(t, kept, uint64(12<<20))
}

// Of one origin's guests the least recently used is evicted. One that this node has published
// since it arrived stays.
func TestTheLeastRecentlyUsedGoesFirst(t *testing.T) {
	l := newLibrary(t, 4<<20)
	a, b, c, d := guest("x", "a", 1<<20), guest("x", "b", 1<<20), guest("x", "c", 1<<20), guest("x", "d", 1<<20)
	for _, g := range []mesh.Blob{a, b, c} {
		require.NoError(t, l.Accept(g))
	}
	_, _, err := l.Get(t.Context(), capsule.SumCID(a.Wasm))
	require.NoError(t, err)
	require.NoError(t, l.Accept(d))
	require.True(t, has(l, a))
	require.False(t, has(l, b))

	mod := module("published later")
	g := mesh.Blob{Origin: "x", Wasm: mod, SignedManifest: []byte(capsule.SumCID(mod).String())}
	require.NoError(t, l.Accept(g))
	cid, err := l.Publish("mine", mod)
	require.NoError(t, err)
	for i := range 20 {
		require.NoError(t, l.Accept(guest("x", fmt.Sprint(i), 1<<20)))
	}
	require.True(t, l.Has(cid))
}

// Only capsules that stay fill a library.
func TestCapacityIsKept(t *testing.T) {
	l := newLibrary(t, 1<<20)
	require.ErrorIs(t, l.Accept(guest("x", "large", 1<<20)), library.ErrFull)
	fits := guest("x", "fits", 900<<10)
	require.NoError(t, l.Accept(fits))
	require.NoError(t, l.Accept(fits), "again is no more")
	for i := 0; ; i++ {
		if _, err := l.Publish(fmt.Sprint("own", i), module(fmt.Sprint(i))); err != nil {
			require.ErrorIs(t, err, library.ErrFull)
			require.Greater(t, i, 50)
			break
		}
	}
	require.False(t, has(l, fits))
	small := guest("x", "small", 10)
	require.ErrorIs(t, l.Accept(small), library.ErrFull)
	long := guest("x", "small", 10)
	long.SignedManifest = append(long.SignedManifest, make([]byte, 64<<10)...)
	require.Error(t, l.Accept(long))
}

// custom returns a custom section of n bytes.
func custom(n int) []byte {
	return append(binary.AppendUvarint([]byte{0}, uint64(n+2)), append([]byte{1, 'x'}, make([]byte, n)...)...)
}

// A pinned capsule stays from its arrival until it is unpinned.
func TestWhatIsPinnedStays(t *testing.T) {
	l := newLibrary(t, 4<<20)
	wanted := guest("x", "wanted", 1<<20)
	unpin := l.Pin(capsule.SumCID(wanted.Wasm), "x")
	again := l.Pin(capsule.SumCID(wanted.Wasm), "y")
	require.NoError(t, l.Accept(wanted))
	fill := func(text string) {
		for i := range 20 {
			require.NoError(t, l.Accept(guest("x", fmt.Sprint(text, i), 1<<20)))
		}
	}
	fill("a")
	require.True(t, has(l, wanted))
	unpin()
	unpin()
	fill("b")
	require.True(t, has(l, wanted), "another job has it")
	again()
	fill("c")
	require.False(t, has(l, wanted))
}

// However much one origin pins, it keeps half of the room at most, and the rest is for others.
// This node's own capsules take precedence over pins.
func TestPinsAreShared(t *testing.T) {
	l := newLibrary(t, 16<<20)
	pinned := func(origin string, n int) (kept int) {
		var all []mesh.Blob
		for i := range n {
			b := guest(origin, fmt.Sprint(origin, i), 1<<20)
			l.Pin(capsule.SumCID(b.Wasm), origin)
			if err := l.Accept(b); err != nil {
				require.ErrorIs(t, err, library.ErrFull)
			}
			all = append(all, b)
		}
		for i := range 20 {
			_ = l.Accept(guest("other", fmt.Sprint(origin, "junk", i), 1<<20))
		}
		for _, b := range all {
			if has(l, b) {
				kept++
			}
		}
		return kept
	}
	require.Equal(t, 7, pinned("greedy", 20), "of 16 MiB, with what each counts besides")
	require.Equal(t, 4, pinned("next", 20), "half of the rest")
	require.NoError(t, l.Accept(guest("newcomer", "new", 2<<20)))
	for i := range 15 {
		_, err := l.Publish(fmt.Sprint("own", i), append(module(fmt.Sprint(i)), custom(1<<20)...))
		require.NoError(t, err, i)
	}
}

// Stored capsules take memory of the node. When none is left guests are evicted, and then new
// capsules are refused.
func TestCapsulesAreTakenFromTheMemory(t *testing.T) {
	memory := budget.New(4 << 20)
	l := newLibraryOf(t, 16<<20, memory)
	kept := func() (n uint64) {
		for _, e := range l.List() {
			n += e.Size
		}
		return n
	}
	own, err := l.Publish("own", module("own"))
	require.NoError(t, err)
	for i := range 16 {
		require.NoError(t, l.Accept(guest("x", fmt.Sprint(i), 1<<20)))
		require.LessOrEqual(t, kept(), memory.Of(budget.Library))
		require.LessOrEqual(t, memory.Of(budget.Library), uint64(4<<20))
	}
	require.Greater(t, kept(), uint64(2<<20))
	err = l.Accept(guest("x", "big", 5<<20))
	require.ErrorIs(t, err, budget.ErrFull)
	require.True(t, l.Has(own))
	require.Less(t, memory.Of(budget.Library), uint64(1<<20), "the guests are gone, and so is what they had")
	require.NoError(t, l.Accept(guest("x", "small", 1<<20)))
	require.NoError(t, l.Accept(guest("x", "small", 1<<20)), "again")
	before := memory.Of(budget.Library)
	require.NoError(t, l.Accept(guest("x", "small", 1<<20)))
	require.Equal(t, before, memory.Of(budget.Library))
}

func TestSnapshotsAreTakenFromTheMemory(t *testing.T) {
	memory := budget.New(5)
	s := library.NewImages(100, memory)
	put := func(text string) error { return s.PutImage(t.Context(), capsule.SumCID([]byte(text)), []byte(text)) }
	require.NoError(t, put("abc"))
	require.NoError(t, put("de"))
	require.EqualValues(t, 5, memory.Of(budget.Snapshots))
	require.NoError(t, put("fgh"))
	_, ok, _ := s.GetImage(t.Context(), capsule.SumCID([]byte("abc")))
	require.False(t, ok, "the oldest makes room")
	require.ErrorIs(t, put("longer"), budget.ErrFull)
	require.Zero(t, memory.Of(budget.Snapshots))
}
