package bridge

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/scheduler"
)

// What keeps a node from every job is said on the page in words, not by the requirement's name.
func TestMissingIsSaidInWords(t *testing.T) {
	ofJobs := []scheduler.Requirement{scheduler.NeedCapabilities, scheduler.NeedGeo, scheduler.NeedCost, scheduler.NeedNotExcluded}
	for _, need := range scheduler.Requirements {
		if !slices.Contains(ofJobs, need) {
			require.False(t, strings.HasPrefix(missing(need), "misses "), missing(need))
		}
	}
}
