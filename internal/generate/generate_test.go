package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is committed is what the sources give.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	root, err := repository()
	require.NoError(t, err)
	files, err := generate(root)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for path, text := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		require.NoError(t, err)
		have, want := strings.Split(string(got), "\n"), strings.Split(string(text), "\n")
		for i := range max(len(have), len(want)) {
			if i >= len(have) || i >= len(want) || have[i] != want[i] {
				t.Errorf("%s:%d is not what its source gives: run `go run ./internal/generate`", path, i+1)
				break
			}
		}
	}
}
