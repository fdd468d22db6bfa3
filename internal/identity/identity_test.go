package identity_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
)

// The texts must equal those of libp2p's peer package.
func TestPeerIDMatchesLibp2p(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), ed25519.SeedSize, ed25519.SeedSize).Draw(t, "seed")
		pub := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		theirs, err := crypto.UnmarshalEd25519PublicKey(pub)
		require.NoError(t, err)
		want, err := peer.IDFromPublicKey(theirs)
		require.NoError(t, err)

		id := identity.PeerIDOf(pub)
		require.Equal(t, want.String(), string(id))
		back, err := id.PublicKey()
		require.NoError(t, err)
		require.Equal(t, pub, back)

		back, err = identity.LedgerIDOf(pub).PublicKey()
		require.NoError(t, err)
		require.Equal(t, pub, back)
	})
}

func TestMalformedTexts(t *testing.T) {
	good := string(identity.PeerIDOf(make([]byte, ed25519.PublicKeySize)))
	for _, text := range []string{
		"", "x", "0OIl", good[:len(good)-1], good + "1", "1" + good, " " + good, good + "\n",
		strings.Repeat("z", 1<<20),
		"QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", // an RSA key's
	} {
		_, err := identity.PeerID(text).PublicKey()
		require.ErrorIs(t, err, identity.ErrPeerID, "%.60q", text)
		_, err = identity.LedgerID(identity.LedgerPrefix + text).PublicKey()
		require.ErrorIs(t, err, identity.ErrLedgerID, "%.60q", text)
	}
	_, err := identity.LedgerID(good).PublicKey()
	require.ErrorIs(t, err, identity.ErrLedgerID)
	_, err = identity.LedgerID("LEDGER:" + good).PublicKey()
	require.ErrorIs(t, err, identity.ErrLedgerID)
}
