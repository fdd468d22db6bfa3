// Command generate writes the files that repeat in one language what another one
// says: run it from anywhere in the repository, after a change of their source.
//
//	internal/capsule/layout.go          the control block, for Rust and TypeScript
//	internal/capsule/sab/protocol_js.go what the kernel and the page's code for capsules say to each other
//	schema/system/v1/*.capnp            the enumerations, for Go and Rust
//	internal/console                    the data of the console API, for TypeScript
//
// A test of this package fails when a file is not what it would write.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := repository()
	if err != nil {
		return err
	}
	files, err := generate(root)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(path)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files by their path in the repository at root.
func generate(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, part := range []func(root string, files map[string][]byte) error{layouts, enumerations, consoleTypes} {
		if err := part(root, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// repository is the folder of go.mod, this one or one above it.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod here or above: run it in the repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
