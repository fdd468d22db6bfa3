//go:build unix

package wazero

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// compileFile is the most that a compiled module may take on disk, in bytes.
	compileFile = 256 << 20
	// compileNice is how far a compiling process stands back behind the node.
	compileNice = 10
)

// unused is address space that a Go process sets aside and does not use, in bytes.
const unused = 2 << 30

// limitProcess has the system end this process beyond memory bytes, or after limit of a
// processor's time.
func limitProcess(memory uint64, limit time.Duration) error {
	seconds := uint64((limit + time.Second - 1) / time.Second)
	for what, n := range map[int]uint64{
		unix.RLIMIT_DATA: memory, unix.RLIMIT_AS: memory + unused,
		unix.RLIMIT_CPU: seconds, unix.RLIMIT_FSIZE: compileFile, unix.RLIMIT_CORE: 0,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("limiting this process: %w", err)
		}
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, compileNice); err != nil {
		return fmt.Errorf("lowering this process's priority: %w", err)
	}
	return nil
}

// ownGroup keeps the terminal's interrupts from the process: the node ends it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
