//go:build ignore

// Checks capsules as a host does before it compiles them, and prints a line for
// each: name, size, pages of memory, ABI version, CID.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"inos/internal/capsule"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		wasm, err := os.ReadFile(path)
		if err == nil {
			var info capsule.ModuleInfo
			if info, err = capsule.Inspect(wasm); err == nil {
				fmt.Printf("%-12s %7d bytes  %d-%d pages  ABI %d  %s\n",
					filepath.Base(path), info.Size, info.MinPages, info.MaxPages, info.ABIVersion, info.CID)
				continue
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}
