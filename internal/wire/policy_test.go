package wire_test

import (
	"crypto/ed25519"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/testkit"
	"inos/internal/wire"
)

func TestPolicyRoundTrip(t *testing.T) {
	pub := testkit.Key(7).Public().(ed25519.PublicKey)
	me := identity.PeerIDOf(pub)
	want := governance.Policy{
		Version: 9, Name: "night", Issued: time.Unix(0, 5).UTC(), Require: []governance.Field{governance.FieldUserID, governance.FieldAuthToken},
		MaxSkew: time.Second, MaxAge: time.Minute, Publishers: []identity.PeerID{me}, Capsules: []capsule.CID{capsule.SumCID([]byte("a"))},
		DenyCapsules: []capsule.CID{capsule.SumCID([]byte("b"))}, Budget: 7, Priority: 200, DefaultDeadline: time.Minute, MaxDeadline: time.Hour,
		Rate: governance.Rate{PerMinute: 60, Burst: 5}, Concurrency: 3,
		Ledgers:      []governance.LedgerRule{{Ledger: identity.LedgerIDOf(pub), Deny: true, Budget: 1, Rate: governance.Rate{PerMinute: 1}, Concurrency: 2}},
		Capabilities: []string{"gpu"}, DenyCapabilities: []string{"storage"}, MaxMemory: 1 << 20, MaxRun: time.Second, Residency: []string{"u33"},
		Lifecycle: []governance.LifecycleRule{{Peer: me, Commands: []capsule.CommandType{capsule.Pause, capsule.Kill}}, {}},
		Quiet:     []governance.QuietHours{{From: 1320, To: 360, Offset: -90 * time.Minute, MinPriority: 100}},
	}
	require.NoError(t, want.Check())
	for i, all := 0, reflect.ValueOf(want); i < all.NumField(); i++ {
		require.False(t, all.Field(i).IsZero(), "what travels is tried with each field: %s", all.Type().Field(i).Name)
	}
	b, err := wire.Policies{}.SealPolicy(want, testkit.Key(7))
	require.NoError(t, err)
	got, signer, err := wire.Policies{}.OpenPolicy(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, me, signer)

	b[len(b)-1] ^= 1
	_, _, err = wire.Policies{}.OpenPolicy(b)
	require.ErrorIs(t, err, credit.ErrSignature)
}
