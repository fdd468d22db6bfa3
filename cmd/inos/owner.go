package main

import (
	"fmt"
	"os"

	"inos/internal/identity"
	"inos/internal/wire"
)

type ownerCmd struct {
	Key  string `required:"" placeholder:"FILE" help:"The owner's key file (inos id --make); it need not be on the node's machine."`
	Node peerID `required:"" placeholder:"PEERID" help:"Peer id of the node (inos id)."`
	Out  string `required:"" placeholder:"FILE" help:"File to write, for inos node --owner."`
}

// Run writes the signed statement of a key's owner that a node is theirs. The node carries it in
// its profile (inos node --owner FILE) and never sees the owner's key.
func (c *ownerCmd) Run(s *session) error {
	key, err := haveKey(c.Key)
	if err != nil {
		return err
	}
	word, err := wire.SealOwnership(identity.PeerID(c.Node), key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, word, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s owns %s\n", peerOf(key), c.Node)
	return err
}

// loadOwnership reads the file that ownerCmd wrote; an empty path means no owner.
func loadOwnership(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}
