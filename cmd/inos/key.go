package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"inos/internal/identity"
)

// loadKey reads the key in path, or makes one there with mode 0600. An empty
// path makes a key that is never written.
func loadKey(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no key: expected %d hex digits", path, 2*ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// makeKey writes to a file of its own first: a crash leaves no half a key.
func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintln(f, hex.EncodeToString(key.Seed())); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	return key, nil
}

func runID(_ context.Context, args []string, out, diag io.Writer) error {
	set := flag.NewFlagSet("id", flag.ContinueOnError)
	path := set.String("key", "", "key file, made if missing")
	if err := parse(set, args, diag); err != nil {
		return err
	}
	if *path == "" {
		fmt.Fprintln(diag, "inos id: -key is required")
		return errUsage
	}
	key, err := loadKey(*path)
	if err != nil {
		return err
	}
	pub := key.Public().(ed25519.PublicKey)
	fmt.Fprintln(out, identity.PeerIDOf(pub))
	fmt.Fprintln(out, identity.LedgerIDOf(pub))
	return nil
}
