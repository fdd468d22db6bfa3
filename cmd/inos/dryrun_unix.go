//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyTry sends what asks for a dry run of the policy file: SIGUSR1.
func notifyTry(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR1) }
