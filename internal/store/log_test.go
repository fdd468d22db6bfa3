package store

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func openLog(t require.TestingT, d Dir) (*Log, Recovery) {
	l, r, err := OpenLog(d, "test")
	require.NoError(t, err)
	return l, r
}

func all(t require.TestingT, l *Log, from uint64) (out []string) {
	require.NoError(t, l.Replay(from, nil, func(r []byte) error {
		out = append(out, string(r))
		return nil
	}))
	return out
}

func TestLogKeepsOrderAndCheckpoint(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	require.NoError(t, l.Append([][]byte{[]byte("a"), {}, []byte("b")}))
	require.NoError(t, l.SaveCheckpoint(3, []byte("three")))
	require.NoError(t, l.Append([][]byte{[]byte("c")}))
	require.Error(t, l.SaveCheckpoint(3, nil), "the log has gone on")
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append([][]byte{{1}}), ErrClosed)
	l, r := openLog(t, d)
	require.Equal(t, Recovery{Records: 4, Bytes: r.Bytes}, r)
	require.Equal(t, []string{"a", "", "b", "c"}, all(t, l, 0))
	require.Equal(t, []string{"", "b", "c"}, all(t, l, 1))
	require.Equal(t, []string{"c"}, all(t, l, 3))
	for range 2 {
		next, state, err := l.LoadCheckpoint()
		require.NoError(t, err)
		require.EqualValues(t, 3, next)
		require.Equal(t, "three", string(state))
	}
	require.NoError(t, l.Verify())
	require.ErrorIs(t, l.Append([][]byte{make([]byte, MaxRecord+1)}), ErrTooBig)
}

// A power failure keeps any part of what was not synced. Acknowledged records stay; others are
// there whole or not at all.
func TestLogSurvivesTornWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		var want []string
		var pending []string
		for step := range rapid.IntRange(1, 20).Draw(t, "steps") {
			pending = nil
			var batch [][]byte
			for i := range rapid.IntRange(1, 4).Draw(t, "batch") {
				s := fmt.Sprintf("%d.%d %s", step, i, rapid.StringN(0, 40, 200).Draw(t, "text"))
				pending, batch = append(pending, s), append(batch, []byte(s))
			}
			crash := rapid.IntRange(0, 3).Draw(t, "crash") == 0
			if crash {
				off := false
				d.Fault = func(name, op string) error {
					if off = off || name == "test.log" && op == "sync"; off {
						return errors.New("power off")
					}
					return nil
				}
			}
			err := l.Append(batch)
			if !crash {
				require.NoError(t, err)
				want, pending = append(want, pending...), nil
				if rapid.Bool().Draw(t, "checkpoint") {
					require.NoError(t, l.SaveCheckpoint(l.Len(), fmt.Append(nil, len(want))))
				}
				continue
			}
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorIs(t, l.Append(batch), ErrFailed)
			d.Fault = nil
			d.Crash(func(name string, durable, now []byte) []byte {
				if len(now) <= len(durable) {
					return now // end marks: overwritten in place, written since or not
				}
				n := rapid.IntRange(len(durable), len(now)).Draw(t, "torn at")
				torn := slices.Clone(now[:n])
				if rapid.Bool().Draw(t, "zeros") { // the length reached the disk, the bytes did not
					for i := len(durable); i < n; i++ {
						if i >= n-(n-len(durable))/2 {
							torn[i] = 0
						}
					}
				}
				return torn
			})
			l, _ = openLog(t, d)
			got := all(t, l, 0)
			if len(got) > len(want) {
				require.Equal(t, append(slices.Clone(want), pending...), got)
				want = got
			}
			require.Equal(t, want, got)
			require.NoError(t, l.Verify())
		}
	})
}

// After any single bit flips in any file, either all records are still there, or opening,
// replaying or verifying reports the damage.
func TestLogFindsEveryFlippedBit(t *testing.T) {
	build := func() *MemoryDir {
		d := NewMemoryDir()
		l, _ := openLog(t, d)
		for i := range 4 {
			require.NoError(t, l.Append([][]byte{fmt.Append(nil, "record ", i), fmt.Append(nil, "more ", i)}))
			if i < 3 {
				require.NoError(t, l.SaveCheckpoint(l.Len(), fmt.Append(nil, "state ", i)))
			}
		}
		require.NoError(t, l.Close())
		return d
	}
	d := build()
	l, _ := openLog(t, d)
	want := all(t, l, 0)
	named := 0
	for _, name := range []string{"test.log", "test.end", "test.check0", "test.check1"} {
		for bit := range len(d.Bytes(name)) * 8 {
			d := build()
			d.Bytes(name)[bit/8] ^= 1 << (bit % 8)
			err, found := func() (error, bool) {
				l, r, err := OpenLog(d, "test")
				if err != nil {
					return err, true
				}
				defer l.Close()
				if _, state, err := l.LoadCheckpoint(); err != nil {
					return err, true
				} else if s := string(state); s != "state 2" && s != "state 1" {
					t.Fatalf("%s bit %d: checkpoint %q", name, bit, s)
				}
				var got []string
				if err := l.Replay(0, nil, func(b []byte) error { got = append(got, string(b)); return nil }); err != nil {
					return err, true
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s bit %d: read %q without an error", name, bit, got)
				}
				err = l.Verify()
				return err, err != nil || r.Marks > 0 || slices.Equal(r.Emptied, []string{name})
			}()
			if !found {
				t.Fatalf("%s bit %d: nobody noticed", name, bit)
			}
			if err != nil {
				var c *Corruption
				require.ErrorAs(t, err, &c, "%s bit %d", name, bit)
				require.Equal(t, name, c.File)
				named++
			}
		}
	}
	require.Greater(t, named, 1000)
}

func TestKVAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewMemoryDir()
		kv, err := OpenKV(d, "kv")
		require.NoError(t, err)
		want := map[string]string{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := rapid.SampledFrom([]string{"a", "b", "c/1", "c/2"}).Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				require.NoError(t, kv.Delete(k))
				delete(want, k)
			case 1:
				require.NoError(t, kv.takeover(kv.data))
			case 2:
				if rapid.Bool().Draw(t, "crash") {
					d.Crash(nil)
				} else {
					require.NoError(t, kv.Close())
				}
				kv, err = OpenKV(d, "kv")
				require.NoError(t, err)
			case 3: // a takeover that dies on the way
				n := rapid.IntRange(0, 6).Draw(t, "fault")
				d.Fault = func(string, string) error {
					if n--; n < 0 {
						return errors.New("power off")
					}
					return nil
				}
				if kv.takeover(kv.data) != nil {
					d.Fault = nil
					d.Crash(nil)
					kv, err = OpenKV(d, "kv")
					require.NoError(t, err)
				}
				d.Fault = nil
			default:
				v := rapid.StringN(0, 20, 80).Draw(t, "value")
				require.NoError(t, kv.Put(k, []byte(v)))
				want[k] = v
			}
			for _, k := range []string{"a", "b", "c/1", "c/2"} {
				got, ok := kv.Get(k)
				w, has := want[k]
				require.Equal(t, has, ok)
				require.Equal(t, w, string(got))
			}
		}
		require.ErrorIs(t, kv.Put("", nil), ErrTooBig)
	})
}

// A store that is repeatedly opened, written to a little and closed does not grow: its earlier
// writes count towards the next takeover.
func TestKVDoesNotGrowWithRestarts(t *testing.T) {
	d := NewMemoryDir()
	for round := range 60 {
		kv, err := OpenKV(d, "kv")
		require.NoError(t, err)
		for i := range 5 {
			require.NoError(t, kv.Put(fmt.Sprint("key", i), bytes.Repeat([]byte{byte(round)}, 100_000)))
		}
		require.NoError(t, kv.Close())
	}
	files, err := d.List()
	require.NoError(t, err)
	size := 0
	for _, f := range files {
		size += len(d.Bytes(f))
	}
	const contents = 5 * 100_100
	require.Less(t, size, 2*(1<<20+3*contents+100_100), "two logs, each of what it began with and what is written until the other takes over")
}

func FuzzLogOpen(f *testing.F) {
	d := NewMemoryDir()
	l, _ := openLog(f, d)
	require.NoError(f, l.Append([][]byte{[]byte("one"), []byte("two")}))
	require.NoError(f, l.SaveCheckpoint(2, []byte("s")))
	f.Add(slices.Clone(d.Bytes("test.log")), slices.Clone(d.Bytes("test.end")), slices.Clone(d.Bytes("test.check0")))
	f.Fuzz(func(t *testing.T, log, end, check []byte) {
		d := NewMemoryDir()
		for name, b := range map[string][]byte{"test.log": log, "test.end": end, "test.check0": check} {
			file, _ := d.Open(name)
			_, _ = file.WriteAt(b, 0)
		}
		l, _, err := OpenLog(d, "test")
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		n := uint64(0)
		if err := l.Replay(0, nil, func([]byte) error { n++; return nil }); err == nil {
			require.Equal(t, l.Len(), n)
		}
		_, _, _ = l.LoadCheckpoint()
		_ = l.Verify()
	})
}

// A checkpoint torn by a crash is emptied and reported; the one before it is used.
func TestTornCheckpoint(t *testing.T) {
	d := NewMemoryDir()
	l, _ := openLog(t, d)
	for i := range 2 {
		require.NoError(t, l.Append([][]byte{fmt.Append(nil, i)}))
		require.NoError(t, l.SaveCheckpoint(l.Len(), fmt.Append(nil, "state ", i)))
	}
	require.NoError(t, l.Append([][]byte{[]byte("2")}))
	d.Crash(func(name string, durable, now []byte) []byte {
		if name == "test.check1" {
			return now[:checkHeader+3]
		}
		return now
	})
	l, r := openLog(t, d)
	require.Equal(t, []string{"test.check1"}, r.Emptied)
	require.NoError(t, l.Verify())
	next, state, err := l.LoadCheckpoint()
	require.NoError(t, err)
	require.EqualValues(t, 1, next)
	require.Equal(t, "state 0", string(state))
	require.Equal(t, []string{"1", "2"}, all(t, l, next))
	require.NoError(t, l.SaveCheckpoint(3, []byte("state 2")))
	_, state, err = l.LoadCheckpoint()
	require.NoError(t, err)
	require.Equal(t, "state 2", string(state))
}

// Concurrent changes share their syncs, and each acknowledged one is there afterwards, across
// takeovers.
func TestKVTogether(t *testing.T) {
	d := NewMemoryDir()
	var syncs atomic.Int64
	d.Fault = func(_, operation string) error {
		if operation == "sync" {
			syncs.Add(1)
			runtime.Gosched()
		}
		return nil
	}
	kv, err := OpenKV(d, "kv")
	require.NoError(t, err)
	started := kv.number
	const hands, rounds = 32, 40
	var wg sync.WaitGroup
	for h := range hands {
		wg.Go(func() {
			for i := range rounds {
				key := fmt.Sprintf("%d/%d", h, i)
				value := bytes.Repeat([]byte{byte(h)}, 4000)
				if err := kv.Put(key, value); err != nil {
					t.Error(err)
				}
				if i > 0 {
					if err := kv.Delete(fmt.Sprintf("%d/%d", h, i-1)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	require.Greater(t, kv.number, started+1, "it has been tidied")
	require.Less(t, syncs.Load(), int64(hands*rounds*2/2))
	d.Crash(nil)
	kv, err = OpenKV(d, "kv")
	require.NoError(t, err)
	require.Len(t, kv.Keys(""), hands)
	for h := range hands {
		v, ok := kv.Get(fmt.Sprintf("%d/%d", h, rounds-1))
		require.True(t, ok)
		require.Len(t, v, 4000)
		require.EqualValues(t, h, v[0])
	}
}
