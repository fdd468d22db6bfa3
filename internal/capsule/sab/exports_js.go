package sab

import (
	"sync"
	"sync/atomic"
)

// The host calls these when something happened to a handle. They run on
// whatever goroutine was current when Go went idle, so they never block: they
// close or offer to channels, and the host resumes the scheduler afterwards.

// handles maps a handle to its *module, *instance or rest. It is package-wide since
// exports know no receiver. Load takes no lock: a goroutine parked inside a
// Store cannot stop an export.
var handles sync.Map

var lastHandle atomic.Int32

func newHandle(v any) int32 {
	h := lastHandle.Add(1)
	handles.Store(h, v)
	return h
}

func instanceOf(handle int32) *instance {
	v, _ := handles.Load(handle)
	in, _ := v.(*instance)
	return in
}

//go:wasmexport inos_capsule_compiled
func onCompiled(handle, ok int32) {
	v, _ := handles.Load(handle)
	if m, is := v.(*module); is {
		m.compiled(ok != 0)
	}
}

//go:wasmexport inos_capsule_ready
func onReady(handle, control int32) {
	if in := instanceOf(handle); in != nil {
		in.isReady(uint32(control))
	}
}

//go:wasmexport inos_capsule_ring
func onRing(handle int32) {
	if in := instanceOf(handle); in != nil {
		in.rang()
	}
}

//go:wasmexport inos_capsule_ended
func onEnded(handle, end int32) {
	if in := instanceOf(handle); in != nil {
		in.ended(ending(end))
	}
}

//go:wasmexport inos_capsule_gone
func onGone(handle int32) {
	if in := instanceOf(handle); in != nil {
		in.isGone()
	}
}

//go:wasmexport inos_capsule_rested
func onRested(handle int32) {
	v, _ := handles.Load(handle)
	if r, is := v.(rest); is {
		select {
		case r <- struct{}{}:
		default:
		}
	}
}
