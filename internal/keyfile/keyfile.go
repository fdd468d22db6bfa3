// Package keyfile stores Ed25519 keys in files: 64 hexadecimal digits of seed and a newline,
// readable by the owner only. Reading never makes a key: a mistyped path is an error, not
// another identity.
package keyfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"inos/internal/fault"
)

// ErrNoKey: the file does not hold a key. Final.
var ErrNoKey = fault.Internal("keyfile: no key")

// Generate makes a key and writes it nowhere.
func Generate() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Load reads the key in path. Errors match fs.ErrNotExist or ErrNoKey, or are the file
// system's.
func Load(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w in %s: expected %d hex digits", ErrNoKey, path, 2*ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// LoadOrMake reads the key in path, or makes one there with mode 0600. The folder must exist.
// Two processes that call it at once get the same key.
func LoadOrMake(path string) (ed25519.PrivateKey, error) {
	key, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = Generate(); err != nil {
		return nil, err
	}
	if err := write(path, key); errors.Is(err, fs.ErrExist) {
		return Load(path)
	} else if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	return key, nil
}

// write writes to a temporary file and links it to path, so that a crash leaves no partial key
// there.
func write(path string, key ed25519.PrivateKey) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // a no-op after a rename
	if _, err = fmt.Fprintln(f, hex.EncodeToString(key.Seed())); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file system has no links.
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	return os.Rename(f.Name(), path)
}
