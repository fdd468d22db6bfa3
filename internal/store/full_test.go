package store

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var errNoRoom = errors.New("no room")

// faults makes count operations from the nth on fail; -1 means all of them.
func faults(d *MemoryDir, from, count int) {
	var mu sync.Mutex
	n := 0
	d.Fault = func(name, op string) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; n > from && (count < 0 || n <= from+count) {
			return fmt.Errorf("%s %s: %w", op, name, errNoRoom)
		}
		return nil
	}
}

// A disk is full now and then, at any operation. Acknowledged records are there, refused ones
// are not, and the log continues as soon as the disk works, with or without being opened again.
func TestLogGoesOnWhenTheDiskDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		var want []string
		for step := range rapid.IntRange(1, 30).Draw(t, "steps") {
			text := fmt.Sprintf("%d %s", step, rapid.StringN(0, 40, 200).Draw(t, "text"))
			faults(d, rapid.IntRange(0, 8).Draw(t, "from"), rapid.SampledFrom([]int{0, 1, 2, 4, -1}).Draw(t, "count"))
			if err := l.Append([][]byte{[]byte(text)}); err == nil {
				want = append(want, text)
			} else {
				require.ErrorIs(t, err, ErrFailed)
				require.ErrorIs(t, err, errNoRoom, "it says why")
			}
			if rapid.Bool().Draw(t, "checkpoint") {
				if err := l.SaveCheckpoint(l.Len(), fmt.Append(nil, len(want))); err != nil {
					require.ErrorIs(t, err, errNoRoom)
				}
			}
			d.Fault = nil
			require.Equal(t, want, all(t, l, 0))
			require.NoError(t, l.Verify())
			if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
				if rapid.Bool().Draw(t, "crash") {
					d.Crash(nil)
				} else {
					require.NoError(t, l.Close())
				}
				l, _ = openLog(t, d)
				require.Equal(t, want, all(t, l, 0))
				if next, state, err := l.LoadCheckpoint(); state != nil {
					require.NoError(t, err)
					require.LessOrEqual(t, next, l.Len())
				}
			}
			require.NoError(t, l.Append([][]byte{[]byte("on")}), "the disk has room again")
			want = append(want, "on")
		}
	})
}

// A log closed while the disk is still full has, when it is opened again, the acknowledged
// records and at most one more: the one that was being written.
func TestLogLeftOnAFullDisk(t *testing.T) {
	for from := range 8 {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		require.NoError(t, l.Append([][]byte{[]byte("kept")}))
		faults(d, from, -1)
		failed := l.Append([][]byte{[]byte("refused")})
		_ = l.Close()
		d.Fault = nil
		l, _ = openLog(t, d)
		got := all(t, l, 0)
		if failed == nil {
			require.Equal(t, []string{"kept", "refused"}, got, from)
		} else {
			require.Contains(t, [][]string{{"kept"}, {"kept", "refused"}}, got, from)
		}
	}
}

// A process killed between a write and its flush leaves a whole frame. The next opening counts
// that frame, so a power failure right afterwards loses neither the frame nor the mark that
// covers it.
func TestWhatIsFoundIsMadeDurable(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	require.NoError(t, l.Append([][]byte{[]byte("kept")}))
	faults(d, 1, -1) // written, and not flushed
	require.ErrorIs(t, l.Append([][]byte{[]byte("found")}), errNoRoom)
	d.Fault = nil
	l, _ = openLog(t, d)
	require.Equal(t, []string{"kept", "found"}, all(t, l, 0))
	d.Crash(nil)
	l, _ = openLog(t, d)
	require.Equal(t, []string{"kept", "found"}, all(t, l, 0))
}

// shortFile moves fewer bytes than requested, without an error.
type shortFile struct{ File }

func (f shortFile) WriteAt(p []byte, off int64) (int, error) {
	return f.File.WriteAt(p[:len(p)/2], off)
}

func (f shortFile) ReadAt(p []byte, off int64) (int, error) {
	return f.File.ReadAt(p[:len(p)/2], off)
}

type shortDir struct {
	*MemoryDir
	short *bool
}

func (d shortDir) Open(name string) (File, error) {
	f, err := d.MemoryDir.Open(name)
	return maybeShort{f, d.short}, err
}

type maybeShort struct {
	File
	short *bool
}

func (f maybeShort) WriteAt(p []byte, off int64) (int, error) {
	if *f.short {
		return shortFile{f.File}.WriteAt(p, off)
	}
	return f.File.WriteAt(p, off)
}

func (f maybeShort) ReadAt(p []byte, off int64) (int, error) {
	if *f.short {
		return shortFile{f.File}.ReadAt(p, off)
	}
	return f.File.ReadAt(p, off)
}

// A count other than the requested one is a failure whatever the file reports: a short write is
// not acknowledged, and a short read is not treated as damage to be cut off.
func TestShortCountsAreFailures(t *testing.T) {
	short := false
	d := shortDir{NewMemoryDir(), &short}
	l, _, err := OpenLog(d, "test")
	require.NoError(t, err)
	require.NoError(t, l.Append([][]byte{[]byte("one")}))
	require.NoError(t, l.SaveCheckpoint(1, []byte("state")))
	short = true
	require.ErrorIs(t, l.Append([][]byte{[]byte("two")}), ErrFailed)
	require.Error(t, l.SaveCheckpoint(1, []byte("other")))
	short = false
	require.Equal(t, []string{"one"}, all(t, l, 0))
	require.NoError(t, l.Append([][]byte{[]byte("three")}))
	require.NoError(t, l.Close())

	short = true
	_, _, err = OpenLog(d, "test")
	require.Error(t, err, "short reads")
	require.NotErrorIs(t, err, ErrCorrupt)
	short = false
	l, r, err := OpenLog(d, "test")
	require.NoError(t, err)
	require.Zero(t, r.Cut)
	require.Empty(t, r.Emptied, "the checkpoint was not taken for damaged")
	require.Equal(t, []string{"one", "three"}, all(t, l, 0))
	next, state, err := l.LoadCheckpoint()
	require.NoError(t, err)
	require.EqualValues(t, 1, next)
	require.Equal(t, "state", string(state))
}

// A store refuses a change by name while the disk is full. The contents stay unchanged, in
// memory and after reopening, and later changes are accepted.
func TestKVGoesOnWhenTheDiskDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewMemoryDir()
		kv, err := OpenKV(d, "test")
		require.NoError(t, err)
		want := map[string]string{}
		same := func() {
			got := map[string]string{}
			for _, k := range kv.Keys("") {
				v, _ := kv.Get(k)
				got[k] = string(v)
			}
			require.Equal(t, want, got)
			size := 0
			for k, v := range want {
				size += len(k) + len(v)
			}
			require.Equal(t, size, kv.bytes)
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			v := rapid.StringN(0, 20, 60).Draw(t, "value")
			if rapid.IntRange(0, 9).Draw(t, "large") == 0 {
				v = string(make([]byte, MaxValue)) // the other log takes over
			}
			faults(d, rapid.IntRange(0, 9).Draw(t, "from"), rapid.SampledFrom([]int{0, 1, 3, -1}).Draw(t, "count"))
			if rapid.Bool().Draw(t, "delete") {
				if err = kv.Delete(k); err == nil {
					delete(want, k)
				}
			} else if err = kv.Put(k, []byte(v)); err == nil {
				want[k] = v
			}
			if err != nil {
				require.ErrorIs(t, err, ErrFailed)
			}
			d.Fault = nil
			same()
			if rapid.IntRange(0, 5).Draw(t, "reopen") == 0 {
				// What was refused and not yet taken off again is, with the next write.
				require.NoError(t, kv.Put("last", nil))
				want["last"] = ""
				require.NoError(t, kv.Close())
				kv, err = OpenKV(d, "test")
				require.NoError(t, err)
				same()
			}
		}
	})
}

// Changes of one key that wait for each other are refused: the last accepted value remains.
func TestKVRefusedTogether(t *testing.T) {
	d := NewMemoryDir()
	kv, err := OpenKV(d, "test")
	require.NoError(t, err)
	require.NoError(t, kv.Put("k", []byte("old")))
	var mu sync.Mutex
	calls := 0
	started := make(chan struct{})
	gate := make(chan struct{})
	d.Fault = func(_, op string) error {
		mu.Lock()
		calls++
		first := calls == 1
		mu.Unlock()
		if first {
			close(started)
			<-gate
		}
		return errNoRoom
	}
	errs := make(chan error, 3)
	go func() { errs <- kv.Put("k", []byte("one")) }()
	<-started
	// They wait for the first one's write, and share the next.
	go func() { errs <- kv.Put("k", []byte("two")) }()
	go func() { errs <- kv.Delete("other") }()
	for {
		kv.mu.Lock()
		v := slices.Clone(kv.data["k"])
		kv.mu.Unlock()
		if string(v) == "two" {
			break
		}
		runtime.Gosched()
	}
	close(gate)
	refused := 0
	for range 3 {
		if <-errs != nil {
			refused++
		}
	}
	require.Equal(t, 2, refused)
	v, ok := kv.Get("k")
	require.True(t, ok)
	require.Equal(t, "old", string(v))
	d.Fault = nil
	require.NoError(t, kv.Put("k", []byte("new")))
	require.NoError(t, kv.Close())
	kv, err = OpenKV(d, "test")
	require.NoError(t, err)
	v, _ = kv.Get("k")
	require.Equal(t, "new", string(v))
}

// Acknowledged records can be read while nothing can be written.
func TestReadWhileNothingCanBeWritten(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	require.NoError(t, l.Append([][]byte{[]byte("kept")}))
	d.Fault = func(_, op string) error {
		if op == "read" {
			return nil
		}
		return errNoRoom
	}
	require.ErrorIs(t, l.Append([][]byte{[]byte("refused")}), errNoRoom)
	var read []string
	require.NoError(t, l.Read(0, nil, func(r []byte) error {
		read = append(read, string(r))
		return nil
	}))
	require.Equal(t, []string{"kept"}, read)
	require.NoError(t, l.Verify())
	require.ErrorIs(t, l.Replay(0, nil, func([]byte) error { return nil }), errNoRoom, "it decides what counts, and so writes")
	d.Fault = nil
	require.Equal(t, []string{"kept"}, all(t, l, 0))
}
