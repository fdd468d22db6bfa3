//go:build !js

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operating system flushes every write before it is acknowledged. The test watches the
// calls, since it cannot cut the power.
func TestAcknowledgedIsFlushed(t *testing.T) {
	var mu sync.Mutex
	var flushed []string
	note := func(path string) {
		mu.Lock()
		defer mu.Unlock()
		flushed = append(flushed, filepath.Base(path))
	}
	file, dir := flush, flushDir
	t.Cleanup(func() { flush, flushDir = file, dir })
	flush = func(f *os.File) error { note(f.Name()); return file(f) }
	flushDir = func(path string) error { note(path); return dir(path) }
	since := func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := flushed
		flushed = nil
		return out
	}
	path := filepath.Join(t.TempDir(), "folder")
	d, err := OpenDir(path)
	require.NoError(t, err)
	l, _, err := OpenLog(d, "test")
	require.NoError(t, err)
	require.Contains(t, since(), "folder", "the files' names")
	require.NoError(t, l.Append([][]byte{[]byte("one")}))
	require.Equal(t, []string{"test.log"}, since())
	require.NoError(t, l.SaveCheckpoint(1, []byte("state")))
	require.Equal(t, []string{"test.end", "test.check0"}, since())
	require.NoError(t, l.Append([][]byte{[]byte("two")}))
	require.Equal(t, []string{"test.log"}, since())
	require.NoError(t, l.SaveCheckpoint(2, []byte("state")))
	require.Equal(t, []string{"test.end", "test.check1"}, since())
	require.NoError(t, l.Close())
	require.Equal(t, []string{"test.end"}, since())
	l, _, err = OpenLog(d, "test")
	require.NoError(t, err)
	require.Empty(t, since(), "nothing has changed")

	v, err := OpenView(path, "test")
	require.NoError(t, err, "the lock is another's")
	got, err := seen(v, 0)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, got)
	require.NoError(t, v.Close())
	_, err = OpenView(path, "other")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, l.Close())
	since()
	require.NoError(t, d.Remove("test.log"))
	require.Contains(t, since(), "folder")
	require.NoError(t, d.Close())
}
