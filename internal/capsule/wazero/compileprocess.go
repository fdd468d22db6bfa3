package wazero

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/tetratelabs/wazero"
)

// CompileProcess is what the process of a Compiler does: it limits itself, reads an
// instrumented module from in and compiles it into a folder. args are the folder, bytes of
// memory, and the time limit. It returns the exit status; errors are written to
// diag in one line.
func CompileProcess(args []string, in io.Reader, diag io.Writer) int {
	fail := func(status int, err error) int {
		fmt.Fprintln(diag, firstLine(err))
		return status
	}
	if len(args) != 3 {
		return fail(1, fmt.Errorf("wants a folder, a number of bytes and a duration, not %q", args))
	}
	memory, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return fail(1, err)
	}
	limit, err := time.ParseDuration(args[2])
	if err != nil {
		return fail(1, err)
	}
	// Before the first hostile byte is read.
	if err := limitProcess(memory, limit); err != nil {
		return fail(1, err)
	}
	runtime.GOMAXPROCS(1)
	wasm, err := io.ReadAll(in)
	if err != nil {
		return fail(1, err)
	}
	cache, err := wazero.NewCompilationCacheWithDir(args[0])
	if err != nil {
		return fail(1, err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, engine(cache))
	if _, err := rt.CompileModule(ctx, wasm); err != nil {
		return fail(exitRefused, err)
	}
	return 0
}
