//go:build race

package wazero_test

// roomy is the address space of a compiling process that needs no more than usual.
const roomy = 1 << 62 // the race detector maps terabytes

// slower is how many times as long a processor may take for what it is bound to.
const slower = 10
