package mailbox

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOrderMergeAndBound(t *testing.T) {
	m := New[string](2, func(old, new int) int { return old + new })
	require.NoError(t, m.Put("b", 1))
	require.NoError(t, m.Put("a", 2))
	require.NoError(t, m.Put("b", 3))
	require.ErrorIs(t, m.Put("c", 4), ErrFull)
	require.NoError(t, m.Put("a", 5), "a key that waits takes values even when full")
	<-m.Wake()
	require.Equal(t, []Letter[string, int]{{"b", 4, 2}, {"a", 7, 2}}, m.Take(nil))
	require.Empty(t, m.Take(nil))
	require.Equal(t, Stats{Put: 5, Merged: 2, Taken: 2, Refused: 1}, m.Stats())
	require.NoError(t, m.Put("c", 4))
	<-m.Wake()
}

// Whatever is put and taken by whom: every value is in exactly one letter, or
// refused, and the latest of a key is the one delivered last.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		m := New[int, int](limit, nil)
		count, last, refused := map[int]uint64{}, map[int]int{}, uint64(0)
		got, gotLast := map[int]uint64{}, map[int]int{}
		take := func() {
			for _, l := range m.Take(nil) {
				got[l.Key] += l.Count
				gotLast[l.Key] = l.Value
			}
		}
		for i := range rapid.IntRange(0, 200).Draw(t, "acts") {
			if rapid.IntRange(0, 5).Draw(t, "act") == 0 {
				take()
				continue
			}
			k := rapid.IntRange(0, 12).Draw(t, "key")
			if m.Put(k, i) != nil {
				refused++
				continue
			}
			count[k]++
			last[k] = i
		}
		take()
		require.Equal(t, count, got)
		require.Equal(t, last, gotLast)
		s := m.Stats()
		require.Equal(t, s.Put, s.Merged+s.Taken+s.Refused)
		require.Equal(t, refused, s.Refused)
	})
}

func TestManySenders(t *testing.T) {
	m := New[int, int](0, nil)
	const senders, each = 8, 10_000
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range each {
				_ = m.Put(s*10+i%10, i)
			}
		})
	}
	done := make(chan struct{})
	go func() { sending.Wait(); close(done) }()
	var heard uint64
	take := func() {
		for _, l := range m.Take(nil) {
			heard += l.Count
		}
	}
	for running := true; running; {
		select {
		case <-m.Wake():
			take()
		case <-done:
			running = false
		}
	}
	take()
	require.EqualValues(t, senders*each, heard)
}
