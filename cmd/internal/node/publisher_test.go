//go:build !js

package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// runs has from send a job of hash that it publishes itself to the one node it knows.
func runs(t *testing.T, from *peer) error { return runsWithin(t, from, 20*time.Second) }

func runsWithin(t *testing.T, from *peer, limit time.Duration) error {
	t.Helper()
	cid, err := from.Library.Publish("hash", capsules.Built(t, "hash"))
	require.NoError(t, err)
	_, err = from.Kernel.Dispatch(t.Context(), order(t, from, cid, "sha256", 0, time.Now().Add(limit)))
	return err
}

// payer is a node that runs nothing itself and knows far.
func payer(t *testing.T, seed byte, far *peer) *peer {
	t.Helper()
	p := start(t, seed, func(c *Config) { c.Slots = -1 })
	require.NoError(t, p.Kernel.Join(t.Context(), p.mesh, far.mesh.Addrs()))
	return p
}

// Whom the policy names runs the capsule at once, the first time, too, and though
// somebody else has brought its bytes before. Nobody else does before that.
func TestThePublishersFirstJob(t *testing.T) {
	far := start(t, 171, nil)
	named, other := payer(t, 172, far), payer(t, 173, far)
	require.NoError(t, runs(t, other), "anybody's")
	require.NoError(t, far.Gate.Replace(governance.Policy{Version: 1, Publishers: []identity.PeerID{named.mesh.Self()}}))
	require.ErrorContains(t, runsWithin(t, other, 2*time.Second), "publisher is not allowed")
	require.NoError(t, runs(t, named), "its bytes are here, as somebody else's")
	require.NoError(t, runs(t, other), "it is the named one's capsule")

	fresh := start(t, 174, nil)
	require.NoError(t, fresh.Gate.Replace(governance.Policy{Version: 1, Publishers: []identity.PeerID{testkit.Peer(175)}}))
	require.ErrorContains(t, runsWithin(t, payer(t, 176, fresh), 2*time.Second), "publisher is not allowed")
	require.NoError(t, runs(t, payer(t, 175, fresh)))
}

// One message with a capsule's true bytes and a manifest of its own breaks that capsule
// for nobody but its sender.
func TestAStrangersManifestBindsNobodyElse(t *testing.T) {
	far := start(t, 181, nil)
	wasm := capsules.Built(t, "hash")
	bad := payer(t, 182, far)
	// The stranger publishes the bytes with a time limit that nothing can keep.
	lib, err := library.New(library.Config{
		Self: bad.mesh.Self(),
		Sign: func(m capsule.Manifest) ([]byte, error) {
			m.TimeLimit = 1
			return wire.SealManifest(m, bad.key)
		},
		Verify: wire.OpenManifest,
	})
	require.NoError(t, err)
	cid, err := lib.Publish("hash", wasm)
	require.NoError(t, err)
	blob, err := lib.Capsule(t.Context(), cid)
	require.NoError(t, err)
	require.NoError(t, bad.Library.Accept(mesh.Blob{SignedManifest: blob.SignedManifest, Wasm: wasm}))
	_, err = bad.Kernel.Dispatch(t.Context(), order(t, bad, cid, "sha256", 0, time.Now().Add(20*time.Second)))
	require.Error(t, err, "its own job has its own limit")
	require.True(t, far.Library.Has(cid))
	require.NoError(t, runs(t, payer(t, 183, far)))
}
