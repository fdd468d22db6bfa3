package capsule

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCapabilityNames(t *testing.T) {
	for _, good := range []string{"storage", "gpu.cuda", "5g", "a-b_c", strings.Repeat("x", MaxCapability)} {
		require.NoError(t, CheckCapability(good), good)
	}
	for _, bad := range []string{"", "GPU", "two words", "ü", "a,b", "\x1b[31mred", strings.Repeat("x", MaxCapability+1), "a/b", "a\n"} {
		require.ErrorIs(t, CheckCapability(bad), ErrCapability, "%q", bad)
	}
	require.ErrorIs(t, CheckCapabilities([]string{"storage", "No"}), ErrCapability)
}
