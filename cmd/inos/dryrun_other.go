//go:build !unix

package main

import "os"

// notifyTry does nothing: this system has no signal for it.
func notifyTry(chan<- os.Signal) {}
