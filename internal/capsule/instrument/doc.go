// Package instrument rewrites a WebAssembly module so that it calls its host at short
// intervals, whatever its code does. A native host can end such a module at any
// time, and Go's garbage collector never waits for it.
//
// The module counts its own work down in a mutable global that it cannot name. The
// count falls at the entry of each function and at the head of each loop by the length
// of the code that can follow before the next such place, and by the length of each bulk
// operation. Below zero the module calls the imported function, which either returns
// or panics; the count then starts again. Bulk operations on the memory are cut into
// pieces of at most ChunkBytes.
//
// A rewritten module computes what the original computes. The package neither compiles
// nor validates: what is invalid in the original is refused here or stays invalid.
package instrument

// The function that a rewritten module imports. It has no parameters and no results,
// and is the last of the imported functions.
const (
	ImportModule = "inos"
	ImportName   = "interrupt"
)

const (
	// Quantum is the work between two calls of the host: bytes of code, and bytes of
	// bulk operations divided by bytesPerUnit.
	Quantum = 100_000
	// ChunkBytes is the longest piece of a memory.fill or memory.copy.
	ChunkBytes = 256 << 10

	bytesPerUnit = 16
)

// Bounds of what is rewritten. V8 has the same for locals.
const (
	MaxLocals = 50_000 // of one function, parameters included
	MaxDepth  = 10_000 // of blocks within each other
)
