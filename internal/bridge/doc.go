// Package bridge is the console API: the one object by which the page and its developer control the
// kernel (web/kernel.d.ts is its contract). It turns JavaScript arguments into Go values, Go
// results into plain data and Go errors into {name, code, message}. It decides nothing. Calls cross
// by syscall/js, since there are a few a second, not a few a microsecond.
package bridge
