package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"inos/internal/identity"
	"inos/internal/wire"
)

const ownerUsage = "usage: inos owner -key FILE -node PEERID -out FILE"

// runOwner writes the word of a key's owner that a node is theirs. The node carries
// it in its profile (inos node -owner FILE) and never sees the owner's key.
func runOwner(_ context.Context, args []string, out, diag io.Writer) error {
	set := flag.NewFlagSet("owner", flag.ContinueOnError)
	path := set.String("key", "", "the owner's key file (inos id -make); it need not be on the node's machine")
	of := set.String("node", "", "peer id of the node (inos id)")
	to := set.String("out", "", "file to write, for inos node -owner")
	if err := parse(set, args, diag); err != nil {
		return err
	}
	if *path == "" || *of == "" || *to == "" {
		fmt.Fprintln(diag, ownerUsage)
		return errUsage
	}
	key, err := haveKey(*path)
	if err != nil {
		return err
	}
	word, err := wire.SealOwnership(identity.PeerID(*of), key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*to, word, 0o644); err != nil {
		return err
	}
	owner, err := wire.OpenOwnership(word, identity.PeerID(*of))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s owns %s\n", owner, *of)
	return err
}

// loadOwnership reads what runOwner wrote; no path is no owner.
func loadOwnership(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}
