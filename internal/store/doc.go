// Package store makes bytes durable: a Log of records and, on top of it, a KV. Both work on a
// Dir of Files, and each platform implements Dir: the file system natively, the origin private
// file system in a browser's Worker, memory for tests. One process (or tab) at a time holds a
// Dir.
//
// What Append or Put acknowledged survives a crash. A write torn by a crash is cut off when the
// log is opened. Checksums find any other damage, which is reported with file and offset and
// never repaired silently.
package store
