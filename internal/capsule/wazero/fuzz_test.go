//go:build unix

package wazero_test

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/budget"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/fault"
	"inos/internal/testkit/capsules"
)

// used is how much of a processor's time this process has used, or the largest of the compiling
// processes that it has waited for had of memory, in bytes.
func used(t *testing.T, who int) (processor time.Duration, most uint64) {
	var r syscall.Rusage
	require.NoError(t, syscall.Getrusage(who, &r))
	unit := uint64(1)
	if runtime.GOOS == "linux" {
		unit = 1 << 10
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), uint64(r.Maxrss) * unit
}

// Whatever a module says, to compile it and to begin and end it takes no more than this of the
// node's own process, and of the process that compiles no more than its limits.
const (
	fuzzTime   = 3 * time.Second
	fuzzMemory = 256 << 20
	// ownTime is for the node's process, of a processor: it counts, rewrites and loads.
	ownTime = 2 * time.Second
	// ownMemory is what the node may allocate for it, besides ownPerByte for each byte of the module.
	ownMemory  = 64 << 20
	ownPerByte = 1000
)

// FuzzCompile compiles mutated modules; a processor's time and memory are its oracle. Its input are
// the bytes of a module, and the code of a function that is repeated in a sound one: a compiler's
// worst case is a long function more often than an unsound module.
func FuzzCompile(f *testing.F) {
	f.Add(capsules.Built(f, "hash"), []byte{}, uint16(0), uint16(0))
	f.Add(capsules.Built(f, "hostile/doubling"), []byte{opLoop, void, opBr, 0, opEnd}, uint16(1), uint16(1000))
	f.Add(capsules.Built(f, "hostile/fills"), []byte{0x20, 0, 0x21, 1}, uint16(50_000), uint16(10_000))                        // local.get, local.set
	f.Add(capsules.Built(f, "hostile/grows"), []byte{0x41, 0, 0x0e, 2, 0, 0, 0}, uint16(0), uint16(5000))                      // br_table
	f.Add(hostile.Module([]byte{0}), []byte{0x02, void, 0x0b, 0x41, 0, 0x41, 0, 0x41, 9, 0xfc, 11, 0}, uint16(9), uint16(900)) // memory.fill
	program, err := os.Executable()
	require.NoError(f, err)
	memory := budget.New(roomy + 1<<30)
	limits := wazero.Compiler{Program: program, Args: []string{compileArg}, Time: slower * fuzzTime, Memory: fuzzMemory}
	if roomy != 0 {
		limits.Memory = roomy
	}
	rt, err := wazero.New(wazero.Config{Memory: memory, Modules: 1, Compiler: limits})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, rt.Close()) })
	f.Fuzz(func(t *testing.T, wasm, code []byte, locals, times uint16) {
		const most = 1 << 20
		code = bytes.Repeat(code, min(int(times), most/max(len(code), 1)))
		for _, module := range [][]byte{wasm, hostile.Module(hostile.Locals(int(locals)), code...)} {
			compiled(t, rt, module)
			require.Zero(t, memory.Of(budget.Capsules)+memory.Of(budget.Compilation))
		}
	})
}

func compiled(t *testing.T, rt *wazero.Runtime, wasm []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	own, _ := used(t, syscall.RUSAGE_SELF)
	theirs, most := used(t, syscall.RUSAGE_CHILDREN) // of all that have ended

	mod, err := rt.Compile(t.Context(), wasm)
	if err == nil {
		in, failed := mod.Instantiate(t.Context(), 1, 16<<20)
		if err = failed; err == nil {
			in.Kill()
			<-in.Done()
		}
	}
	if err != nil {
		e := fault.Among(err, func(e *fault.Error) bool { return e.Of("capsule", "budget") })
		require.NotNil(t, e, "%v", err)
	}

	ownNow, _ := used(t, syscall.RUSAGE_SELF)
	theirsNow, theirMost := used(t, syscall.RUSAGE_CHILDREN)
	runtime.ReadMemStats(&after)
	require.Less(t, ownNow-own, slower*ownTime, "of a processor, for %d bytes: %v", len(wasm), err)
	require.LessOrEqual(t, theirsNow-theirs, slower*fuzzTime+time.Second, "of a processor, to compile %d bytes: %v", len(wasm), err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(slower*(ownMemory+ownPerByte*len(wasm))), "bytes, for %d: %v", len(wasm), err)
	if roomy == 0 {
		require.LessOrEqual(t, theirMost, max(most, fuzzMemory+ownMemory), "bytes, to compile %d: %v", len(wasm), err)
	}
}
