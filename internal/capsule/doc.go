// Package capsule says what a capsule is: a WebAssembly module that imports one
// shared memory and keeps a control block with two rings in it. It holds the
// memory layout, the rings, the manifest and the Runtime interface. It trusts
// nothing it reads from a capsule's memory.
package capsule
