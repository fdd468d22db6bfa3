package trace

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c, err := Parse(good)
	require.NoError(t, err)
	require.Equal(t, good, c.String())
	_, err = Parse("01" + good[2:] + "-more")
	require.NoError(t, err, "a newer version may be longer")
	for _, bad := range []string{
		"", good + "-more", "ff" + good[2:], strings.ToUpper(good), good[:54], "01" + good[2:] + "x",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00+0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "g0" + good[2:],
	} {
		_, err := Parse(bad)
		require.ErrorIs(t, err, ErrParent, "%q", bad)
	}
}

func TestChildStaysInItsTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Context
		copy(c.Trace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
		copy(c.Span[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "span"))
		c.Flags = rapid.Byte().Draw(t, "flags")
		child := c.Child()
		require.True(t, child.Valid())
		if c.Valid() {
			require.Equal(t, c.Trace, child.Trace)
			require.Equal(t, c.Flags, child.Flags)
			require.NotEqual(t, c.Span, child.Span)
		}
		again, err := Parse(child.String())
		require.NoError(t, err)
		require.Equal(t, child, again)
	})
}

func TestRecorderIsBounded(t *testing.T) {
	r := NewRecorder(3)
	heard := 0
	r.Listen(func(Span) { heard++ })
	root := Context{}.Child()
	begin := time.Unix(100, 0)
	for i := range 5 {
		at := begin.Add(time.Duration(-i) * time.Second) // the newest started first
		r.Add(Start(root, "run", "job", at).End("node", "", at.Add(time.Second)))
	}
	other := Start(Context{}, "run", "other", begin)
	r.Add(other.End("node", "failed", begin.Add(-time.Hour)))
	require.Equal(t, 6, heard)
	spans := r.Job("job")
	require.Len(t, spans, 2)
	require.True(t, spans[0].Start.Before(spans[1].Start))
	require.Equal(t, root.Span, spans[0].Parent)
	require.Len(t, r.Trace(other.Context().Trace), 1)
	require.Zero(t, r.Job("other")[0].Duration, "a clock that falls back makes no negative time")
	require.Empty(t, r.Job("unknown"))
	var none *Recorder
	none.Add(Span{})
	require.Empty(t, none.Job("job"))
}

func TestForeignIsNotBelieved(t *testing.T) {
	root := Context{}.Child()
	good := Start(root, strings.Repeat("n", 1000), "theirs", time.Unix(1, 0)).End("liar", strings.Repeat("c", 100), time.Unix(2, 0))
	stray := Start(Context{}, "run", "x", time.Unix(1, 0)).End("liar", "", time.Unix(2, 0))
	backwards := good
	backwards.Duration = -1
	spans := []Span{stray, backwards, {Trace: root.Trace}}
	for range MaxReturned + 10 {
		spans = append(spans, good)
	}
	out := Foreign(spans, "worker", root.Trace, "job")
	require.Len(t, out, MaxReturned)
	require.Equal(t, "worker", string(out[0].Node))
	require.Equal(t, "job", out[0].JobID)
	require.Len(t, out[0].Name, MaxName)
	require.Len(t, out[0].Code, MaxName)
}

func TestRecorderConcurrently(t *testing.T) {
	r := NewRecorder(64)
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 200 {
				r.Add(Start(Context{}, "x", "job", time.Unix(1, 0)).End("n", "", time.Unix(2, 0)))
				r.Job("job")
			}
		})
	}
	work.Wait()
	require.Len(t, r.Job("job"), 64)
}

func FuzzParse(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err == nil && !c.Valid() {
			t.Fatal("parsed, and is in no trace")
		}
	})
}
