// Package jsinterop connects Go code with JavaScript: exceptions and rejections as errors, promises
// that a goroutine or a function waits for, and copies of bytes. bridge, store and
// mesh/p2p/webtransport use it. Its errors have no codes: each caller wraps them in its own. All of
// it is for js/wasm.
package jsinterop
