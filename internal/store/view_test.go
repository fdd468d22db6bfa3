package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func view(t *testing.T, d *MemoryDir) (*View, error) {
	t.Helper()
	ends, err := d.Open("test.end")
	require.NoError(t, err)
	marked, _, err := readEnds(ends)
	require.NoError(t, err)
	files, err := d.List()
	require.NoError(t, err)
	segments, _ := segmentNames(files, "test")
	for i := range segments {
		require.NoError(t, segments[i].open(d.Open))
	}
	return openView(segments, marked)
}

func seen(v *View, from uint64) (out []string, err error) {
	err = v.Replay(from, nil, func(r []byte) error {
		out = append(out, string(r))
		return nil
	})
	return out, err
}

// A log is read while it is written. The reader gets exactly what was whole when it was opened,
// and earlier damage is reported.
func TestViewBesideAWriter(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	var want []string
	for i := range 20 {
		s := fmt.Sprint(i)
		require.NoError(t, l.Append([][]byte{[]byte(s)}))
		want = append(want, s)
		v, err := view(t, d)
		require.NoError(t, err)
		require.EqualValues(t, len(want), v.Len())
		got, err := seen(v, 0)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.ErrorIs(t, v.Append([][]byte{{1}}), ErrReadOnly)
		require.ErrorIs(t, v.SaveCheckpoint(1, nil), ErrReadOnly)
		require.NoError(t, v.Close())
	}
	v, err := view(t, d)
	require.NoError(t, err)
	require.NoError(t, l.Append([][]byte{[]byte("later")}))
	got, err := seen(v, 18)
	require.NoError(t, err)
	require.Equal(t, want[18:], got, "as of when it was opened")

	// A frame that is being written ends it, wherever it has got to.
	whole := slices.Clone(d.Bytes("test.log"))
	frame := appendFrame(nil, 21, [][]byte{[]byte("half")})
	for n := range frame {
		torn := NewMemoryDir()
		file, err := torn.Open("test.log")
		require.NoError(t, err)
		_, err = file.WriteAt(append(slices.Clone(whole), frame[:n]...), 0)
		require.NoError(t, err)
		v, err := view(t, torn)
		require.NoError(t, err)
		require.EqualValues(t, 21, v.Len())
		require.Len(t, torn.Bytes("test.log"), len(whole)+n, "nothing is cut")
	}
	d.Bytes("test.log")[40] ^= 1
	v, err = view(t, d)
	require.NoError(t, err)
	_, err = seen(v, 0)
	require.ErrorIs(t, err, ErrCorrupt)
}

// What a checkpoint covers was acknowledged and stays so through a power failure: damage to it
// is damage, not a torn write. Of later frames only the newest can be mistaken for one.
func TestCheckpointsKeepTheEndMark(t *testing.T) {
	three := func(checkpoint int) *MemoryDir {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		for i, s := range []string{"one", "two", "three"} {
			require.NoError(t, l.Append([][]byte{[]byte(s)}))
			if i == checkpoint {
				require.NoError(t, l.SaveCheckpoint(l.Len(), []byte("state")))
			}
		}
		d.Crash(nil)
		return d
	}
	d := three(2)
	b := d.Bytes("test.log")
	b[len(b)-1] ^= 1
	l, r, err := OpenLog(d, "test")
	require.NoError(t, err)
	require.Zero(t, r.Cut)
	require.ErrorIs(t, l.Verify(), ErrCorrupt)

	// Damage with a whole frame behind it is never cut, marks or none.
	for _, checkpoint := range []int{-1, 0} {
		d = three(checkpoint)
		b = d.Bytes("test.log")
		b[len(b)-len(appendFrame(nil, 0, [][]byte{[]byte("three")}))-1] ^= 1
		_, _, err = OpenLog(d, "test")
		require.ErrorIs(t, err, ErrCorrupt)
	}

	// The newest frame after the mark looks as if it had been torn: it is cut, and said
	// so. The mark is durable from the next opening on.
	d = three(1)
	b = d.Bytes("test.log")
	b[len(b)-1] ^= 1
	l, r, err = OpenLog(d, "test")
	require.NoError(t, err)
	require.Positive(t, r.Cut)
	require.Equal(t, []string{"one", "two"}, all(t, l, 0))
	d = three(-1)
	_, _, err = OpenLog(d, "test")
	require.NoError(t, err)
	d.Crash(nil)
	b = d.Bytes("test.log")
	b[len(b)-1] ^= 1
	l, r, err = OpenLog(d, "test")
	require.NoError(t, err)
	require.Zero(t, r.Cut)
	require.ErrorIs(t, l.Verify(), ErrCorrupt)
}
