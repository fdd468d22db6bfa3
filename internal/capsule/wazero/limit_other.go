//go:build !unix

package wazero

import (
	"syscall"
	"time"
)

// limitProcess does nothing: this system has no such limits. The node ends the process
// when its time is over.
func limitProcess(uint64, time.Duration) error { return nil }

func ownGroup() *syscall.SysProcAttr { return nil }
