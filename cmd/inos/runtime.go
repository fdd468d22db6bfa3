package main

import (
	"os"
	"path/filepath"

	"inos/internal/budget"
	"inos/internal/capsule/wazero"
	"inos/internal/machine"
)

// compileCommand is the first argument of a process that compiles a capsule for a node. It is no
// command for people.
const compileCommand = "compile-capsule"

// compiles reports whether this process is one that compiles.
func compiles(args []string) bool { return len(args) > 1 && args[1] == compileCommand }

// compile returns the process's exit status.
func compile(args []string) int { return wazero.CompileProcess(args[2:], os.Stdin, os.Stderr) }

// newBudget bounds all that a node stores for others, in bytes; 0 means half of the machine's
// memory.
func newBudget(memory uint64) *budget.Memory {
	if memory == 0 {
		memory = machine.Memory() / 2
	}
	return budget.New(memory)
}

// newRuntime makes the runtime of capsules. Processes of this same program compile them; the
// results are stored below data, if that is not empty. Both take their memory from memory. The
// caller closes it.
func newRuntime(data string, memory *budget.Memory) (*wazero.Runtime, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cfg := wazero.Config{Memory: memory, Compiler: wazero.Compiler{
		Program: program, Args: []string{compileCommand},
		Memory: min(wazero.DefaultCompileMemory, memory.Most()/2),
	}}
	if data != "" {
		cfg.CacheDir = filepath.Join(data, "compiled")
	}
	return wazero.New(cfg)
}
