// Package sab runs capsules in the browser: each instance in a Worker of its
// own, nested in the kernel's Worker, over a shared WebAssembly.Memory that the
// kernel's side makes. Everything per event crosses by directives of the compiler,
// wasmimport and wasmexport; the JavaScript half is web/src/capsule, whose host.ts says how
// the two are joined. It decides nothing: the supervisor does.
package sab
