package sab

import "unsafe"

// The functions of web/src/capsule/host.ts. They return at once and never
// throw. Results are values or negative codes; float64 carries what a u32 and a
// code share, because an i64 would cross as a BigInt.

//go:wasmimport inos capsule_compile
//go:noescape
func hostCompile(handle int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport inos capsule_memory
func hostMemory(handle int32, pages, maxPages uint32) int32

//go:wasmimport inos capsule_spawn
func hostSpawn(handle, module int32, epoch, minPages, maxPages uint32) int32

//go:wasmimport inos capsule_spare
func hostSpare(keep int32)

//go:wasmimport inos capsule_tired
func hostTired() int32

//go:wasmimport inos capsule_yield
func hostYield(handle int32)

//go:wasmimport inos capsule_kill
func hostKill(handle int32)

//go:wasmimport inos capsule_free
func hostFree(handle int32)

//go:wasmimport inos capsule_text
//go:noescape
func hostText(handle int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport inos capsule_len
func hostLen(handle int32) float64

//go:wasmimport inos capsule_load32
func hostLoad32(handle int32, off uint32) float64

//go:wasmimport inos capsule_store32
func hostStore32(handle int32, off, v uint32) int32

//go:wasmimport inos capsule_store64
func hostStore64(handle int32, off uint32, v uint64) int32

//go:wasmimport inos capsule_read
//go:noescape
func hostRead(handle int32, off uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport inos capsule_write
//go:noescape
func hostWrite(handle int32, off uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport inos capsule_notify
func hostNotify(handle int32, off uint32) int32

//go:wasmimport inos capsule_spin
func hostSpin(handle int32, off, seen uint32, us int32) int32

//go:wasmimport inos capsule_grow
func hostGrow(handle int32, bytes float64) float64

// text is what the host has to say about a handle's failure.
func text(handle int32) string {
	var buf [1024]byte
	n := hostText(handle, unsafe.Pointer(&buf), uint32(len(buf)))
	return string(buf[:max(n, 0)])
}
