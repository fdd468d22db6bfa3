//go:build !race

package wazero_test

// roomy is the address space of a compiling process that needs no more than usual.
const roomy = 0 // the default
