package keyfile

import (
	"crypto/ed25519"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAKeyIsMadeOnlyWhenAsked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	_, err := Load(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, path)

	keys := make([]ed25519.PrivateKey, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			k, err := LoadOrMake(path)
			if err == nil {
				keys[i] = k
			}
		})
	}
	all.Wait()
	made, err := Load(path)
	require.NoError(t, err)
	for _, k := range keys {
		require.Equal(t, made, k, "all have the one that is in the file")
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left")

	require.NoError(t, os.WriteFile(path, []byte("no key"), 0o600))
	_, err = LoadOrMake(path)
	require.ErrorIs(t, err, ErrNoKey)
	_, err = LoadOrMake(filepath.Join(dir, "none", "key"))
	require.ErrorIs(t, err, fs.ErrNotExist, "no folder is made")
}
