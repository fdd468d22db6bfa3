package wazero

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What was compiled longest ago goes first, by number and by size; the newest stays,
// however large it is.
func TestPruneByNumberAndSize(t *testing.T) {
	made := func(sizes ...int) string {
		folder := t.TempDir()
		for i, size := range sizes {
			path := filepath.Join(folder, fmt.Sprint(i))
			require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
			at := time.Unix(int64(1000+i), 0)
			require.NoError(t, os.Chtimes(path, at, at))
		}
		return folder
	}
	left := func(folder string) (names []string) {
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	folder := made(1, 1, 1, 1)
	prune(folder, 4, 4)
	require.Equal(t, []string{"0", "1", "2", "3"}, left(folder))
	prune(folder, 3, 4)
	require.Equal(t, []string{"1", "2", "3"}, left(folder))
	folder = made(1, 50, 30, 20)
	prune(folder, 10, 60)
	require.Equal(t, []string{"2", "3"}, left(folder), "what is older than what has no room has none either")
	folder = made(1, 100)
	prune(folder, 10, 60)
	require.Equal(t, []string{"1"}, left(folder))
}
