package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall/js"
	"time"

	"inos/internal/jsinterop"
)

// lockWait is how long OpenDir waits for another tab, or for a Worker of this tab that is
// ending, and how long Open waits for such a Worker's files.
const lockWait = 3 * time.Second

// OpenDir opens the directory called path in the origin private file system, made if there is
// none, and holds a Web Lock on it until Close or the end of the Worker. It must run in a
// dedicated Worker, since only there does a file have synchronous access with a flush. It must
// run in a goroutine of its own, never in a callback from JavaScript. Errors match ErrLocked
// when another tab has the directory and errors.ErrUnsupported where the browser lacks what is
// needed. They match ErrRefused or ErrSpace when the browser has it and refuses it, as Firefox
// does in a private window.
func OpenDir(path string) (Dir, error) {
	storage := js.Global().Get("navigator").Get("storage")
	locks := js.Global().Get("navigator").Get("locks")
	handle := js.Global().Get("FileSystemFileHandle")
	if storage.IsUndefined() || storage.Get("getDirectory").IsUndefined() || locks.IsUndefined() || handle.IsUndefined() ||
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

// webLock takes an exclusive lock; release returns it. Errors match ErrLocked when another
// holder has had it for lockWait, and ErrRefused when the browser refuses it.
func webLock(locks js.Value, name string) (release func(), err error) {
	held := make(chan struct{})
	hold, resolve, _ := jsinterop.NewPromise()
	granted := js.FuncOf(func(js.Value, []js.Value) any {
		close(held)
		return hold
	})
	signal := js.Global().Get("AbortSignal").Call("timeout", lockWait.Milliseconds())
	request, err := invoke(locks, "request", name, map[string]any{"signal": signal}, granted)
	if err != nil {
		granted.Release()
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		_, err := jsinterop.Await(context.Background(), request, nil) // ended by the abort signal
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
		if n := jsinterop.NameOf(err); n == "TimeoutError" || n == "AbortError" { // of the abort signal
			return nil, fmt.Errorf("%w: its Web Lock %q was not free within %v", ErrLocked, name, lockWait)
		}
		if err == nil {
			err = errors.New("the request ended without a grant")
		}
		return nil, refused("locks.request", err)
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
	// This tab holds the Web Lock, so any other user of the file is a Worker of this tab that is
	// ending. Its lock is released before its files, and no event says when those follow.
	var access js.Value
	for pause, until := 10*time.Millisecond, time.Now().Add(lockWait); ; pause *= 2 {
		access, err = call(file, "createSyncAccessHandle")
		if err == nil {
			return &opfsFile{access: access, buffer: js.Global().Get("Uint8Array").New(opfsBuffer)}, nil
		}
		if jsinterop.NameOf(err) != "NoModificationAllowedError" || time.Now().Add(pause).After(until) {
			return nil, err
		}
		time.Sleep(pause)
	}
}

func (d *opfsDir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := call(d.handle, "removeEntry", name)
	if jsinterop.NameOf(err) == "NotFoundError" {
		return nil
	}
	return err
}

func (d *opfsDir) List() (names []string, err error) {
	entries, err := invoke(d.handle, "keys")
	for err == nil {
		var entry js.Value
		if entry, err = call(entries, "next"); err != nil {
			break
		}
		if entry.Type() != js.TypeObject {
			return nil, refused("keys", fmt.Errorf("the browser lists %s", entry.String()))
		}
		if entry.Get("done").Truthy() {
			return names, nil
		}
		names = append(names, entry.Get("value").String())
	}
	return nil, err
}

func (d *opfsDir) Close() error {
	d.release()
	return nil
}
