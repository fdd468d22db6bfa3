package store

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall/js"
)

// lockWait is how long OpenDir waits for another tab, or for the Worker of this
// one that is just ending, in milliseconds.
const lockWait = 3000

// OpenDir opens the directory called path in the origin private file system, made
// if there is none, and holds a Web Lock on it until Close or the end of the
// Worker. It must run in a dedicated Worker, in a goroutine of its own (never in a
// callback from JavaScript): only there does a file have synchronous access with
// a flush. Errors match ErrLocked when another tab has the directory and
// errors.ErrUnsupported where the browser lacks what is needed.
func OpenDir(path string) (Dir, error) {
	storage := js.Global().Get("navigator").Get("storage")
	locks := js.Global().Get("navigator").Get("locks")
	handle := js.Global().Get("FileSystemFileHandle")
	if storage.IsUndefined() || locks.IsUndefined() || handle.IsUndefined() ||
		handle.Get("prototype").Get("createSyncAccessHandle").IsUndefined() {
		return nil, fmt.Errorf("store: origin private file system with synchronous access: %w", errors.ErrUnsupported)
	}
	names := strings.Split(path, "/")
	for _, n := range names {
		if err := checkName(n); err != nil {
			return nil, err
		}
	}
	d := &opfsDir{}
	var err error
	if d.release, err = webLock(locks, "inos.store/"+path); err != nil {
		return nil, err
	}
	d.handle, err = call(storage, "getDirectory")
	create := map[string]any{"create": true}
	for _, n := range names {
		if err == nil {
			d.handle, err = call(d.handle, "getDirectoryHandle", n, create)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// webLock takes an exclusive lock; release gives it back.
func webLock(locks js.Value, name string) (release func(), err error) {
	var resolve js.Value
	held := make(chan struct{})
	executor := js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve = args[0]
		return nil
	})
	hold := js.Global().Get("Promise").New(executor)
	executor.Release()
	granted := js.FuncOf(func(js.Value, []js.Value) any {
		close(held)
		return hold
	})
	signal := js.Global().Get("AbortSignal").Call("timeout", lockWait)
	request := locks.Call("request", name, map[string]any{"signal": signal}, granted)
	done := make(chan error, 1)
	go func() {
		_, err := await(request)
		done <- err
		granted.Release()
	}()
	select {
	case <-held:
		return func() {
			resolve.Invoke()
			<-done
		}, nil
	case err := <-done:
		return nil, fmt.Errorf("%w: %v", ErrLocked, err)
	}
}

type opfsDir struct {
	handle  js.Value
	release func()
}

func (d *opfsDir) Open(name string) (File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	file, err := call(d.handle, "getFileHandle", name, map[string]any{"create": true})
	if err != nil {
		return nil, err
	}
	access, err := call(file, "createSyncAccessHandle")
	if err != nil {
		var e js.Error
		if errors.As(err, &e) && e.Value.Get("name").String() == "NoModificationAllowedError" {
			return nil, fmt.Errorf("%w: %s", ErrLocked, name)
		}
		return nil, err
	}
	return &opfsFile{access: access, buffer: js.Global().Get("Uint8Array").New(opfsBuffer)}, nil
}

func (d *opfsDir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := call(d.handle, "removeEntry", name)
	var e js.Error
	if errors.As(err, &e) && e.Value.Get("name").String() == "NotFoundError" {
		return nil
	}
	return err
}

func (d *opfsDir) Close() error {
	d.release()
	return nil
}

// opfsBuffer is how much crosses to JavaScript at a time, in bytes.
const opfsBuffer = 256 << 10

// opfsFile wraps a FileSystemSyncAccessHandle, whose methods block the Worker.
type opfsFile struct {
	access js.Value
	buffer js.Value
}

func (f *opfsFile) transfer(method string, view js.Value, off int64) (int, error) {
	v, err := invoke(f.access, method, view, map[string]any{"at": float64(off)})
	if err != nil {
		return 0, err
	}
	return v.Int(), nil
}

func (f *opfsFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		want := min(len(p)-done, opfsBuffer)
		view := f.buffer.Call("subarray", 0, want)
		n, err := f.transfer("read", view, off+int64(done))
		if err != nil {
			return done, err
		}
		js.CopyBytesToGo(p[done:done+n], view)
		if done += n; n == 0 {
			return done, io.EOF
		}
	}
	return done, nil
}

func (f *opfsFile) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		want := min(len(p)-done, opfsBuffer)
		view := f.buffer.Call("subarray", 0, want)
		js.CopyBytesToJS(view, p[done:done+want])
		n, err := f.transfer("write", view, off+int64(done))
		if err != nil {
			return done, err
		}
		if done += n; n == 0 {
			return done, io.ErrShortWrite
		}
	}
	return done, nil
}

func (f *opfsFile) Size() (int64, error) {
	v, err := invoke(f.access, "getSize")
	if err != nil {
		return 0, err
	}
	return int64(v.Float()), nil
}

func (f *opfsFile) Truncate(size int64) error {
	_, err := invoke(f.access, "truncate", float64(size))
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

// invoke calls a method; what JavaScript throws is returned.
func invoke(v js.Value, method string, args ...any) (result js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(js.Error)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("store: %s: %w", method, e)
		}
	}()
	return v.Call(method, args...), nil
}

// call invokes a method and waits for the promise it returns.
func call(v js.Value, method string, args ...any) (js.Value, error) {
	p, err := invoke(v, method, args...)
	if err != nil {
		return js.Value{}, err
	}
	if v, err = await(p); err != nil {
		return js.Value{}, fmt.Errorf("store: %s: %w", method, err)
	}
	return v, nil
}

// await blocks the goroutine until p settles.
func await(p js.Value) (js.Value, error) {
	type settled struct {
		value js.Value
		err   error
	}
	done := make(chan settled, 1)
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{value: args[0]}
		return nil
	})
	defer then.Release()
	catch := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{err: js.Error{Value: args[0]}}
		return nil
	})
	defer catch.Release()
	p.Call("then", then, catch)
	s := <-done
	return s.value, s.err
}
