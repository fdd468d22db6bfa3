package p2p

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// A node that says that somebody owns it, who does not, is not believed at all.
func TestBookRefusesAFalseOwner(t *testing.T) {
	b := newProfileStore(time.Now)
	word, err := wire.SealOwnership(testkit.Peer(1), testkit.Key(9))
	require.NoError(t, err)
	_, err = b.add(signedProfile(t, 2, testkit.Key(2), func(p *mesh.Profile) { p.Ownership = word }), "")
	require.ErrorIs(t, err, mesh.ErrSignature)
	p, err := b.add(signedProfile(t, 1, testkit.Key(1), func(p *mesh.Profile) { p.Ownership = word }), "")
	require.NoError(t, err)
	require.Equal(t, testkit.Peer(9), p.Owner)
}
