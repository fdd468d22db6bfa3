package wazero

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
)

// Compiler compiles modules in a process of its own, one at a time, which the system
// limits. What a compiler does with a hostile module is anybody's guess: one function of
// 100 kB takes it half a minute and gigabytes. The zero value compiles in this process,
// without limits of time and memory: for modules that are trusted.
type Compiler struct {
	// Program and Args start the process; it is to call CompileProcess with Args that
	// follow these.
	Program string
	Args    []string
	// Time is how much of a processor's time one compilation may take; 0 means
	// DefaultCompileTime. By the wall's clock it may take busyTime more: that a machine is
	// busy is not the module's fault.
	Time time.Duration
	// Memory is the most that the process may have, in bytes; 0 means DefaultCompileMemory.
	Memory uint64
}

// Defaults of a Compiler.
const (
	DefaultCompileTime   = 15 * time.Second
	DefaultCompileMemory = 1 << 30
)

// ErrCompileLimit says that a module takes more time or memory to compile than it may
// have. It matches capsule.ErrCompile. Final for these bytes.
var ErrCompileLimit = fmt.Errorf("%w: over its limits", capsule.ErrCompile)

// busyTime is how much longer than its processor's time a compilation may take on a machine
// that is busy with other things.
const busyTime = 45 * time.Second

// How many compiled modules are kept on disk, and how many bytes of them besides the newest.
const (
	cacheFiles = 256
	cacheBytes = 1 << 30
)

// How a compiling process says how it ended.
const (
	exitRefused = 3 // the message on standard error is about the module
	saidAtMost  = 512
)

func (c Compiler) memory() uint64 {
	if c.Memory == 0 {
		return DefaultCompileMemory
	}
	return c.Memory
}

// into has the process compile wasm into folder. It returns when the process has ended;
// ctx's end ends it. Errors match capsule.ErrCompile, ErrCompileLimit, or say that the process could
// not be run, which is retryable.
func (c Compiler) into(ctx context.Context, folder string, wasm []byte) error {
	limit, memory := c.Time, c.memory()
	if limit <= 0 {
		limit = DefaultCompileTime
	}
	running, stop := context.WithTimeout(ctx, limit+busyTime)
	defer stop()
	args := append(slices.Clone(c.Args), folder, strconv.FormatUint(memory, 10), limit.String())
	cmd := exec.CommandContext(running, c.Program, args...)
	said := &head{}
	cmd.Stdin, cmd.Stderr, cmd.Env, cmd.WaitDelay = bytes.NewReader(wasm), said, []string{}, time.Second
	cmd.SysProcAttr = ownGroup()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() == exitRefused:
		return fmt.Errorf("%w: %s", capsule.ErrCompile, said.line())
	case running.Err() != nil:
		return fmt.Errorf("capsule/wazero: this machine is too busy: %v of a processor's time took longer than %v; try again", limit, limit+busyTime)
	case errors.As(err, &exit): // the system, or Go's runtime for want of memory, ended it
		return fmt.Errorf("%w of %v and %d MiB: %v: %s", ErrCompileLimit, limit, memory>>20, exit, said.line())
	}
	return fmt.Errorf("capsule/wazero: the compiling process: %w", err)
}

// head keeps the first bytes written to it.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), saidAtMost-len(h.b))]...)
	return len(p), nil
}

func (h *head) line() string {
	line, _, _ := strings.Cut(string(h.b), "\n")
	return strings.ToValidUTF8(line, "")
}

// prune removes what was compiled longest ago beyond so many files and bytes, but never the
// newest. What an instance runs is in memory.
func prune(folder string, most int, room int64) {
	type file struct {
		path string
		at   time.Time
		size int64
	}
	var files []file
	_ = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				files = append(files, file{path, info.ModTime(), info.Size()})
			}
		}
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return b.at.Compare(a.at) })
	for i, f := range files {
		if room -= f.size; i >= most || i > 0 && room < 0 {
			_ = os.Remove(f.path)
		}
	}
}
