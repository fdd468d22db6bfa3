package capsule_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
)

func TestCIDOfKnownBytes(t *testing.T) {
	// Computed with Python's hashlib and base64.
	require.Equal(t, "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", capsule.SumCID([]byte("hello world")).String())
	require.Equal(t, "", capsule.CID{}.String())
	require.True(t, capsule.CID{}.IsZero())
}

func TestCIDTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := capsule.SumCID(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		back, err := capsule.ParseCID(c.String())
		require.NoError(t, err)
		require.Equal(t, c, back)
		require.Equal(t, c, capsule.CIDOf(c.Digest()))
	})
}

func TestCIDRefusesOtherTexts(t *testing.T) {
	good := capsule.SumCID(nil).String()
	for _, s := range []string{
		"", "b", good[:len(good)-1], good + "a", strings.ToUpper(good), "z" + good[1:], good[:10] + "!" + good[11:],
		// The decoder of encoding/base32 skips line ends.
		good[:10] + "\n" + good[11:], good[:20] + strings.Repeat("\r\n", 19),
		"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", // dag-pb
		"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",              // version 0
		strings.Repeat("b", 1<<20),
	} {
		_, err := capsule.ParseCID(s)
		require.ErrorIs(t, err, capsule.ErrCID, "%.80q", s)
		require.Less(t, len(err.Error()), 200)
	}
}

// The last digit of the text carries two bits of padding, which must be zero:
// only one text names a CID.
func TestCIDHasOneText(t *testing.T) {
	good := capsule.SumCID([]byte("x")).String()
	for d, digit := range "abcdefghijklmnopqrstuvwxyz234567" {
		s := good[:len(good)-1] + string(digit)
		_, err := capsule.ParseCID(s)
		require.Equal(t, d%4 == 0, err == nil, s)
	}
}
