//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyTry sends the signals that request a dry run of the policy file (SIGUSR1) to c.
func notifyTry(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR1) }
