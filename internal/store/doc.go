// Package store makes bytes durable: a Log of records and, on top of it, a KV.
// Both are written once, over a Dir of Files, and every platform brings its Dir:
// the file system natively, the origin private file system in a browser's Worker,
// memory for tests. A Dir is held by one process (or tab) at a time.
//
// What Append or Put acknowledged is there after a crash. A write that a crash
// tore is cut off when the log is opened; any other damage is found by checksums
// and reported with file and offset, never repaired in silence.
package store
