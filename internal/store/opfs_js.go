package store

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"syscall/js"
)

// opfsBuffer is how many bytes are copied to or from JavaScript at a time.
const opfsBuffer = 256 << 10

// opfsFile wraps a FileSystemSyncAccessHandle, whose methods block the Worker. It checks the
// browser's results: an invalid count, or a size that did not change, is an error that matches
// ErrRefused.
type opfsFile struct {
	access js.Value
	buffer js.Value
}

// transfer reads or writes view at off and returns the number of bytes that the browser reports,
// from 0 to want.
func (f *opfsFile) transfer(method string, view js.Value, want int, off int64) (int, error) {
	v, err := invoke(f.access, method, view, map[string]any{"at": float64(off)})
	if err != nil {
		return 0, err
	}
	if v.Type() == js.TypeNumber {
		if n := v.Float(); n >= 0 && n <= float64(want) && n == math.Trunc(n) {
			return int(n), nil
		}
	}
	return 0, refused(method, fmt.Errorf("the browser says that it moved %s of %d bytes", v.String(), want))
}

// ReadAt fails when the browser reads nothing before the file's end. Treated as the end, that
// would look like damage to what is stored.
func (f *opfsFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		want := min(len(p)-done, opfsBuffer)
		view := f.buffer.Call("subarray", 0, want)
		n, err := f.transfer("read", view, want, off+int64(done))
		if err != nil {
			return done, err
		}
		js.CopyBytesToGo(p[done:done+n], view)
		if done += n; n == 0 {
			size, err := f.Size()
			if at := off + int64(done); err == nil && at < size {
				err = refused("read", fmt.Errorf("the browser read none of the bytes from %d on, of %d", at, size))
			}
			return done, cmp.Or(err, io.EOF)
		}
	}
	return done, nil
}

// WriteAt writes all of p and fails when the browser writes less: at a full quota some browsers
// return a short count instead of throwing.
func (f *opfsFile) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		want := min(len(p)-done, opfsBuffer)
		view := f.buffer.Call("subarray", 0, want)
		js.CopyBytesToJS(view, p[done:done+want])
		n, err := f.transfer("write", view, want, off+int64(done))
		if err != nil {
			return done, err
		}
		if done += n; n != want {
			return done, fmt.Errorf("%w: write: the browser wrote %d of %d bytes: %w", ErrSpace, n, want, io.ErrShortWrite)
		}
	}
	return done, nil
}

func (f *opfsFile) Size() (int64, error) {
	v, err := invoke(f.access, "getSize")
	if err != nil {
		return 0, err
	}
	if v.Type() == js.TypeNumber {
		if n := v.Float(); n >= 0 && n <= 1<<53 {
			return int64(n), nil
		}
	}
	return 0, refused("getSize", fmt.Errorf("the browser says %s", v.String()))
}

// Truncate checks the size afterwards, since the browser's call reports no result.
func (f *opfsFile) Truncate(size int64) error {
	if _, err := invoke(f.access, "truncate", float64(size)); err != nil {
		return err
	}
	is, err := f.Size()
	if err == nil && is != size {
		err = refused("truncate", fmt.Errorf("the file has %d bytes, not %d", is, size))
	}
	return err
}

func (f *opfsFile) Sync() error {
	_, err := invoke(f.access, "flush")
	return err
}

func (f *opfsFile) Close() error {
	_, err := invoke(f.access, "close")
	return err
}
