package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"inos/internal/identity"
	"inos/internal/keyfile"
)

// haveKey reads a key that must be there.
func haveKey(path string) (ed25519.PrivateKey, error) {
	key, err := keyfile.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s: inos id -make -key %s makes one", path, path)
	}
	return key, err
}

func runID(_ context.Context, args []string, out, diag io.Writer) error {
	set := flag.NewFlagSet("id", flag.ContinueOnError)
	path := set.String("key", "", "key file")
	make := set.Bool("make", false, "make the key file if there is none")
	if err := parse(set, args, diag); err != nil {
		return err
	}
	if *path == "" {
		fmt.Fprintln(diag, "inos id: -key is required")
		return errUsage
	}
	load := haveKey
	if *make {
		load = keyfile.LoadOrMake
	}
	key, err := load(*path)
	if err != nil {
		return err
	}
	pub := key.Public().(ed25519.PublicKey)
	fmt.Fprintln(out, identity.PeerIDOf(pub))
	fmt.Fprintln(out, identity.LedgerIDOf(pub))
	return nil
}

func peerOf(key ed25519.PrivateKey) identity.PeerID {
	return identity.PeerIDOf(key.Public().(ed25519.PublicKey))
}

func ledgerOf(key ed25519.PrivateKey) identity.LedgerID {
	return identity.LedgerIDOf(key.Public().(ed25519.PublicKey))
}
