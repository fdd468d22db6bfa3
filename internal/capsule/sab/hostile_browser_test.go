//go:build js && browser

package sab_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule/hostile"
)

// Whatever a capsule does: see package hostile.
func TestHostileCapsules(t *testing.T) {
	hostile.Test(t, hostile.Host{
		Runtime: newRuntime(t),
		Built:   func(_ testing.TB, name string) []byte { return built(name) },
		Holds: func() map[string]int {
			return map[string]int{"workers": stats(t, "workers"), "instances": stats(t, "instances")}
		},
	})
}

// A Worker and a memory that have served before serve again, and nothing tells.
func TestResidue(t *testing.T) {
	reused := stats(t, "reused")
	hostile.TestResidue(t, hostile.Host{Runtime: newRuntime(t), Built: func(_ testing.TB, name string) []byte { return built(name) }})
	require.Greater(t, stats(t, "reused"), reused)
}
