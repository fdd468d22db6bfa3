package wazero

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/tetratelabs/wazero/api"
)

const (
	// wakeEvery is how often the waits of an instance that must end are ended:
	// it may start another.
	wakeEvery = 50 * time.Microsecond
	// maxWords is how many words a capsule may ever wait on: wazero keeps an
	// entry for each. The SDK waits on two.
	maxWords = 1024
)

// waitedOn finds the words of mem that anyone has waited on: wazero interrupts a
// loop but not a wait, and offers no way to end one but notifying its word. It
// keeps them in the field waiters of its memory, by address; that is no part of
// its API, so the test of a blocked wait comes with every version.
func waitedOn(mem api.Memory) (*sync.Map, error) {
	v := reflect.ValueOf(mem)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if f := v.Elem().FieldByName("waiters"); f.IsValid() && f.Type() == reflect.TypeFor[sync.Map]() {
			return (*sync.Map)(unsafe.Pointer(f.UnsafeAddr())), nil
		}
	}
	return nil, fmt.Errorf("%w: this version of wazero keeps its waiters elsewhere", ErrInstantiate)
}

// wakeAll ends every wait there is.
func (in *instance) wakeAll() {
	in.words.Range(func(word, _ any) bool {
		if off, ok := word.(uint32); ok {
			in.notify(off)
		}
		return true
	})
}

func (in *instance) tooManyWords() bool {
	n := 0
	in.words.Range(func(any, any) bool {
		n++
		return n <= maxWords
	})
	return n > maxWords
}

// condemn ends the instance for what it does to its host.
func (in *instance) condemn(why error) {
	in.verdict.Store(&why)
	in.stop()
}

// guard ends the waits of a start function once ctx has ended, until the
// function returned is called, which waits for it.
func (in *instance) guard(ctx context.Context) func() {
	over := make(chan struct{})
	var guarding sync.WaitGroup
	guarding.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(wakeEvery)
		defer again.Stop()
		for {
			in.wakeAll()
			select {
			case <-over:
				return
			case <-again.C:
			}
		}
	})
	return func() {
		close(over)
		guarding.Wait()
	}
}
