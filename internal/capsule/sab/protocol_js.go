package sab

// internal/generate makes web/src/capsule/codes.ts of this file.

// ending says how an instance came to its end.
type ending int32

// How an instance ended.
const (
	endStopped ending = iota + 1 // inos_run returned
	endTrapped                   // a trap or a panic; the text says which
	endRefused                   // instantiation failed
	endWorker                    // the Worker could not start or broke
	endKilled
)

// Answers of the functions that the page lends the kernel.
const (
	codeOK          = 0
	codeOutOfBounds = -1
	codeMisaligned  = -2
	codeGone        = -3 // no such handle, or its memory was let go
	codeNoMemory    = -4
	codeUnsupported = -5
)
