package wire_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// A profile names an owner only when the owner's key has signed that very node.
func TestOwnership(t *testing.T) {
	id := func(k ed25519.PrivateKey) identity.PeerID { return identity.PeerIDOf(k.Public().(ed25519.PublicKey)) }
	node, other, owner := id(testkit.Key(1)), id(testkit.Key(2)), testkit.Key(3)
	word, err := wire.SealOwnership(node, owner)
	require.NoError(t, err)
	decode := func(p mesh.Profile) (mesh.Profile, error) {
		b, err := wire.EncodeProfile(p)
		require.NoError(t, err)
		return wire.DecodeProfile(b)
	}
	p, err := decode(mesh.Profile{Peer: node, Ownership: word})
	require.NoError(t, err)
	require.Equal(t, id(owner), p.Owner)
	p, err = decode(mesh.Profile{Peer: node, Owner: id(owner)})
	require.NoError(t, err)
	require.Empty(t, p.Owner, "a name without the owner's word")

	_, err = decode(mesh.Profile{Peer: other, Ownership: word})
	require.ErrorIs(t, err, wire.ErrSignature, "of another node")
	signed, err := wire.Seal(wire.DomainProfile, []byte(node), owner)
	require.NoError(t, err)
	_, err = decode(mesh.Profile{Peer: node, Ownership: signed})
	require.ErrorIs(t, err, wire.ErrSignature, "of another domain")
	for i := range word {
		bent := append([]byte(nil), word...)
		bent[i] ^= 1
		if p, err := decode(mesh.Profile{Peer: node, Ownership: bent}); err == nil {
			require.Equal(t, id(owner), p.Owner, "byte %d", i) // of the padding
		}
	}
	_, err = wire.SealOwnership("nobody", owner)
	require.ErrorIs(t, err, identity.ErrPeerID)
}
