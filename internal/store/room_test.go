package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// kept reads a log from its first kept record. Its checkpoints' states are "N " and padding,
// where N is the number of records that they cover.
func kept(t require.TestingT, replay func(uint64, Base, func([]byte) error) error) (first uint64, out []string) {
	began := false
	require.NoError(t, replay(0, func(at uint64, state func() ([]byte, error)) error {
		b, err := state()
		require.NoError(t, err)
		require.EqualValues(t, at, counted(t, b))
		if !began {
			first, began = at, true
		}
		require.EqualValues(t, at, first+uint64(len(out)), "a state lies where its records end")
		return nil
	}, func(r []byte) error {
		began = true
		out = append(out, string(r))
		return nil
	}))
	return first, out
}

func stateOf(next uint64, pad int) []byte {
	return fmt.Appendf(nil, "%d %s", next, strings.Repeat("s", pad))
}

func counted(t require.TestingT, state []byte) uint64 {
	number, _, _ := strings.Cut(string(state), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	require.NoError(t, err)
	return n
}

// taken returns the size of the log's files, without checkpoints and marks.
func taken(d *MemoryDir) (n int64) {
	files, _ := d.List()
	for _, f := range files {
		if !strings.Contains(f, ".check") && !strings.HasSuffix(f, ".end") {
			n += int64(len(d.Bytes(f)))
		}
	}
	return n
}

// whole checks that l is the end of want, from a record that its checkpoints do not need.
func whole(t require.TestingT, l *Log, want []string) {
	for _, replay := range []func(uint64, Base, func([]byte) error) error{l.Replay, l.Read} {
		first, got := kept(t, replay)
		require.LessOrEqual(t, first, uint64(len(want)))
		require.Equal(t, want[first:], append([]string{}, got...))
	}
	require.EqualValues(t, len(want), l.Len())
	require.NoError(t, l.Verify())
	next, state, err := l.LoadCheckpoint()
	require.NoError(t, err)
	if state != nil {
		require.EqualValues(t, next, counted(t, state))
		var after []string
		require.NoError(t, l.Replay(next, nil, func(r []byte) error {
			after = append(after, string(r))
			return nil
		}))
		require.Equal(t, want[next:], append([]string{}, after...))
	}
}

// A bounded log, on a disk that fails at any operation, is closed, killed or loses power.
// Acknowledged records are there or have been removed, oldest first, with their state in their
// place. The log stays within its bound.
func TestLogThatIsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget = 2000
		d := NewMemoryDir()
		open := func() *Log {
			l, _ := openLog(t, d)
			l.Bound(budget)
			return l
		}
		l := open()
		want := []string{}
		pad := rapid.SampledFrom([]int{0, 40, 200}).Draw(t, "state")
		save := func() error { return l.SaveCheckpoint(l.Len(), stateOf(l.Len(), pad)) }
		failing, let := false, uint64(0)
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			text := fmt.Sprintf("%d %s", step, rapid.StringN(0, 60, 120).Draw(t, "text"))
			d.Fault = nil
			if rapid.IntRange(0, 2).Draw(t, "faults") == 0 {
				failing = true
				faults(d, rapid.IntRange(0, 20).Draw(t, "from"), rapid.SampledFrom([]int{1, 2, 4, -1}).Draw(t, "count"))
			}
			pending := ""
			if err := l.Append([][]byte{[]byte(text)}); err == nil {
				want = append(want, text)
			} else {
				require.ErrorIs(t, err, errNoRoom)
				pending = text
			}
			if rapid.IntRange(0, 2).Draw(t, "checkpoint") > 0 {
				if err := save(); err != nil {
					require.ErrorIs(t, err, errNoRoom)
				}
			}
			if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0: // power
					d.Crash(nil)
				case 1: // killed: what was written is there
				case 2:
					_ = l.Close()
				}
				d.Fault = nil
				l = open()
				if n := l.Len(); pending != "" && n > uint64(len(want)) {
					want = append(want, pending) // it was being written
				}
			}
			d.Fault = nil
			whole(t, l, want)
			first, _ := kept(t, l.Read)
			if let = max(let, first); !failing {
				require.Equal(t, let, first, "what has been let go does not come back")
			}
			require.NoError(t, save())
			require.NoError(t, save())
			require.LessOrEqual(t, taken(d), int64(budget), "%v", d.files)
			whole(t, l, want)
			files, err := d.List()
			require.NoError(t, err)
			segments, litter := segmentNames(files, "test")
			require.Empty(t, litter)
			require.Len(t, segments, len(l.segments), "no file is left behind")
		}
	})
}

// The disk fails, once or for good, or the power fails, at each operation from a checkpoint
// until the log has begun a segment and removed others.
func TestEveryStepOfMakingRoomCanFail(t *testing.T) {
	t.Run("the first segment goes", func(t *testing.T) { everyStep(t, 1000, "removed test.log") })
	t.Run("a later one goes", func(t *testing.T) { everyStep(t, 800, "removed test.00000000000000cc-0000000000000004.base") })
}

func everyStep(t *testing.T, budget int64, last string) {
	prepare := func() (*MemoryDir, *Log, []string) {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		l.Bound(budget)
		want := []string{}
		// Two segments, each a checkpoint long, and what makes the third one due.
		for i := range 12 {
			want = append(want, fmt.Sprintf("record %d with some text", i))
			require.NoError(t, l.Append([][]byte{[]byte(want[i])}))
			if i < 11 && i%4 == 3 {
				require.NoError(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 8)))
			}
		}
		return d, l, want
	}
	d, l, want := prepare()
	var ops []string
	d.Fault = func(name, op string) error {
		ops = append(ops, op+" "+name)
		return nil
	}
	require.NoError(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 8)))
	require.Contains(t, strings.Join(ops, "\n"), "made test.", "a segment is begun")
	require.Equal(t, last, ops[len(ops)-1], "and the oldest removed")
	whole(t, l, want)
	for at := range ops {
		for _, count := range []int{1, -1} {
			for _, end := range []string{"goes on", "goes on, killed", "killed", "power"} {
				d, l, want := prepare()
				faults(d, at, count)
				require.ErrorIs(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 8)), errNoRoom, ops[at])
				d.Fault = nil
				if end == "power" {
					d.Crash(nil)
				}
				if end == "goes on, killed" { // after the segment whose successor was not made has gone on
					want = append(want, "on")
					require.NoError(t, l.Append([][]byte{[]byte("on")}))
				}
				if end != "goes on" {
					l, _ = openLog(t, d)
					l.Bound(budget)
				}
				whole(t, l, want)
				for i := range 12 {
					want = append(want, fmt.Sprint("later ", i))
					require.NoError(t, l.Append([][]byte{[]byte(want[len(want)-1])}))
					whole(t, l, want)
				}
				for range 2 {
					require.NoError(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 8)))
				}
				whole(t, l, want)
				require.LessOrEqual(t, taken(d), budget, "%s, %s", ops[at], end)
				require.NoError(t, l.Close())
				l, r := openLog(t, d)
				whole(t, l, want)
				require.EqualValues(t, len(want), r.Gone+r.Records)
			}
		}
	}
}

// A log written by a program without segments continues as the first segment, and is removed
// when it is too large. Such a program refuses a log in segments and leaves an empty first one.
func TestALogOfOneFile(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	want := []string{}
	for i := range 40 {
		want = append(want, fmt.Sprint("record ", i))
		require.NoError(t, l.Append([][]byte{[]byte(want[i])}))
	}
	require.NoError(t, l.SaveCheckpoint(40, stateOf(40, 0)))
	require.NoError(t, l.Close())
	l, _ = openLog(t, d)
	l.Bound(500)
	_, over := l.Budget()
	require.True(t, over)
	for range 2 {
		require.NoError(t, l.SaveCheckpoint(40, stateOf(40, 0)))
	}
	_, over = l.Budget()
	require.False(t, over)
	first, got := kept(t, l.Read)
	require.EqualValues(t, 40, first)
	require.Empty(t, got)
	require.ErrorIs(t, l.Replay(39, nil, func([]byte) error { return nil }), ErrGone)
	require.Nil(t, d.Bytes("test.log"))
	require.NoError(t, l.Close())
	_, err := d.Open("test.log")
	require.NoError(t, err)
	l, r := openLog(t, d)
	require.EqualValues(t, 40, r.Gone)
	whole(t, l, want)
	files, err := d.List()
	require.NoError(t, err)
	require.NotContains(t, files, "test.log")
	require.Error(t, l.Reset())
}

// No segment is removed while a reader runs; the removal is made up for afterwards.
func TestNothingGoesWhileItIsRead(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	l.Bound(500)
	want := []string{}
	add := func() {
		want = append(want, fmt.Sprint("record ", len(want)))
		require.NoError(t, l.Append([][]byte{[]byte(want[len(want)-1])}))
		require.NoError(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 0)))
	}
	add()
	seen := 0
	require.NoError(t, l.Read(0, nil, func([]byte) error {
		for range 50 {
			add()
		}
		seen++
		require.NotNil(t, d.Bytes("test.log"))
		return nil
	}))
	require.Equal(t, 1, seen, "as of the call")
	require.Nil(t, d.Bytes("test.log"))
	require.LessOrEqual(t, taken(d), int64(500))
	whole(t, l, want)
}

// After any single bit flips in any file of a log in segments, all records are still there, or
// the damage is reported.
func TestSegmentsFindEveryFlippedBit(t *testing.T) {
	build := func() (*MemoryDir, []string) {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		l.Bound(300)
		want := []string{}
		for i := range 12 {
			want = append(want, fmt.Sprint("record ", i))
			require.NoError(t, l.Append([][]byte{[]byte(want[i])}))
			if i%2 == 1 && i < 11 {
				require.NoError(t, l.SaveCheckpoint(l.Len(), stateOf(l.Len(), 0)))
			}
		}
		require.NoError(t, l.Close())
		return d, want
	}
	d, want := build()
	files, err := d.List()
	require.NoError(t, err)
	segments, _ := segmentNames(files, "test")
	require.Greater(t, len(segments), 1)
	require.NotZero(t, segments[0].first)
	for _, name := range files {
		for bit := range len(d.Bytes(name)) * 8 {
			d, _ := build()
			d.Bytes(name)[bit/8] ^= 1 << (bit % 8)
			l, r, err := OpenLog(d, "test")
			if err == nil {
				err = l.Verify()
			}
			var c *Corruption
			if errors.As(err, &c) {
				require.Equal(t, name, c.File)
				continue
			}
			require.NoError(t, err)
			require.True(t, r.Marks > 0 || slices.Equal(r.Emptied, []string{name}), "%s bit %d: nobody noticed", name, bit)
			whole(t, l, want)
		}
		// A file that is missing is missed.
		d, _ := build()
		require.NoError(t, d.Remove(name))
		l, r, err := OpenLog(d, "test")
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrCorrupt, name)
		case name == segments[0].log: // it looks as if it had been removed
			require.Greater(t, r.Gone, segments[0].first)
		default:
			whole(t, l, want)
			require.True(t, strings.Contains(name, ".check") || strings.HasSuffix(name, ".end"), name)
		}
	}
}

// Only file names that this program wrote are parsed as segments.
func TestSegmentNames(t *testing.T) {
	for _, base := range []int64{1, 255, 1 << 40} {
		s := segmentAt("ledger", base, 7)
		require.NoError(t, checkName(s.log))
		found, litter := segmentNames([]string{s.state, "lock", s.log, "ledger.log", "ledger.end"}, "ledger")
		require.Empty(t, litter)
		require.Equal(t, []segment{segmentAt("ledger", 0, 0), s}, found)
		found, litter = segmentNames([]string{s.state}, "ledger")
		require.Empty(t, found)
		require.Equal(t, []string{s.state}, litter)
	}
	found, litter := segmentNames([]string{"ledger.0000000000000000-0000000000000000.log", "ledger.000000000000000G-0000000000000001.log",
		"ledger.-000000000000001-0000000000000001.log", "ledger.0000000000000001-0000000000000001.txt", "ledger-0.log"}, "ledger")
	require.Empty(t, found)
	require.Empty(t, litter)
}
