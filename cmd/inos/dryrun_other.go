//go:build !unix

package main

import "os"

// notifyTry sends nothing: there is no signal for it here.
func notifyTry(chan<- os.Signal) {}
