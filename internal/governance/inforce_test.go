package governance

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The text of the policy in force has every figure, also those of the default policy, and parses
// to what the gate applies.
func TestInForceShowsTheDefaults(t *testing.T) {
	text := Policy{}.InForce()
	for _, want := range []string{"budget 10  # default", "max-memory 1GiB  # default", "max-run 10m0s  # default", "# default-deadline: none",
		"max-deadline 1h0m0s  # default", "max-skew 2m0s  # default", "max-age 1h0m0s  # default", "priority 255  # default", "# publisher: anybody", "# rate: no limit"} {
		require.Contains(t, text, want)
	}
	p := Policy{Name: "mine", Version: 3, Budget: 500_000, Concurrency: 2, Residency: []string{"u33"}}
	text = p.InForce()
	require.Contains(t, text, "\nbudget 0.5\n")
	require.NotContains(t, text, "# concurrency")
	read, err := ParsePolicy(text)
	require.NoError(t, err)
	require.Equal(t, p.withDefaults().String(), read.String())
}

// The example on the page is a valid policy and uses every rule.
func TestThePagesExampleParses(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	require.NoError(t, err)
	_, example, ok := strings.Cut(string(page), "```\n")
	require.True(t, ok)
	example, _, ok = strings.Cut(example, "```")
	require.True(t, ok)
	p, err := ParsePolicy(example)
	require.NoError(t, err)
	require.Equal(t, "evenings", p.Name)
	again, err := ParsePolicy(p.InForce())
	require.NoError(t, err)
	require.Equal(t, p.withDefaults().String(), again.String())
	for _, r := range policyRules {
		rule := r.name
		if rule == "issued" || rule == "capsule" || strings.HasPrefix(rule, "max-skew") || rule == "max-age" || rule == "default-deadline" {
			require.Contains(t, string(page), "`"+rule, "it is on the page, not in the example")
			continue
		}
		require.Contains(t, "\n"+example, "\n"+rule+" ", rule)
	}
}
