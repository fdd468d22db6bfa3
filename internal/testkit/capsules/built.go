//go:build !js

package capsules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Folder is where `make capsules` puts what it builds.
func Folder(t testing.TB) string {
	t.Helper()
	at, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, "build", "capsules")
		}
		up := filepath.Dir(at)
		require.NotEqual(t, at, up, "no go.mod above the test")
		at = up
	}
}

// Built is the module of a capsule, as "hash" or "hostile/silence".
func Built(t testing.TB, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(Folder(t), filepath.FromSlash(name)+".wasm"))
	require.NoError(t, err, "build the capsules first: make capsules")
	return wasm
}
