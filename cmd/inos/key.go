package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"inos/internal/identity"
	"inos/internal/keyfile"
)

// haveKey reads a key that must exist.
func haveKey(path string) (ed25519.PrivateKey, error) {
	key, err := keyfile.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s: inos id --make --key %s makes one", path, path)
	}
	return key, err
}

type idCmd struct {
	Key  string `required:"" placeholder:"FILE" help:"Key file."`
	Make bool   `help:"Make the key file if there is none."`
}

// Run prints a key's identities.
func (c *idCmd) Run(s *session) error {
	load := haveKey
	if c.Make {
		load = keyfile.LoadOrMake
	}
	key, err := load(c.Key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n%s\n", peerOf(key), ledgerOf(key))
	return err
}

func peerOf(key ed25519.PrivateKey) identity.PeerID {
	return identity.PeerIDOf(key.Public().(ed25519.PublicKey))
}

func ledgerOf(key ed25519.PrivateKey) identity.LedgerID {
	return identity.LedgerIDOf(key.Public().(ed25519.PublicKey))
}
