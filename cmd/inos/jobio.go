package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// isTerminal reports whether f is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && (isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd()))
}

// arguments replaces each @FILE by the content of the file.
func arguments(given []string) ([]string, error) {
	out := make([]string, 0, len(given))
	for _, a := range given {
		switch {
		case strings.HasPrefix(a, "@@"):
			a = a[1:]
		case strings.HasPrefix(a, "@"):
			raw, err := os.ReadFile(a[1:])
			if err != nil {
				return nil, fmt.Errorf("argument %s: %w", a, err)
			}
			a = string(raw)
		}
		if !utf8.ValidString(a) {
			return nil, fmt.Errorf("argument %.40q is no text: bytes go into the input", a)
		}
		out = append(out, a)
	}
	return out, nil
}

// readInput reads a whole file, or all of standard input.
func readInput(path string, s *session) ([]byte, error) {
	if path != "-" {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
		return raw, nil
	}
	if isTerminal(s.in) {
		fmt.Fprintln(s.diag, "inos: the input is what you type, up to Ctrl-D; --input FILE reads a file, --input /dev/null nothing")
	}
	read := make(chan struct{})
	var raw []byte
	var err error
	go func() { // ends with the program when a terminal gives no input
		defer close(read)
		raw, err = io.ReadAll(s.in)
	}()
	select {
	case <-read:
		return raw, err
	case <-s.ctx.Done():
		return nil, errInterrupted
	}
}

// writeOutput writes to a file, completely or not at all, or to standard output.
func writeOutput(path string, s *session, output []byte) (err error) {
	if path == "-" {
		_, err := s.out.Write(output)
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, output, 0) // a pipe or a device
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--output: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".output-*")
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // without effect once it is renamed
	_, err = f.Write(output)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}
