package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// asInos in the environment makes this test's binary the program itself.
const asInos = "RUN_AS_INOS"

// The tests' program compiles capsules as inos does.
func TestMain(m *testing.M) {
	if compiles(os.Args) {
		os.Exit(compile(os.Args))
	}
	if os.Getenv(asInos) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A node's capsules are compiled by another process, into its data folder.
func TestCapsulesAreCompiledApart(t *testing.T) {
	data := t.TempDir()
	rt, err := newRuntime(data, newBudget(0))
	require.NoError(t, err)
	wasm, err := os.ReadFile("../../build/capsules/hash.wasm")
	require.NoError(t, err, "make capsules")
	_, err = rt.Compile(t.Context(), wasm)
	require.NoError(t, err)
	require.NoError(t, rt.Close())
	compiled, err := os.ReadDir(data + "/compiled")
	require.NoError(t, err)
	require.NotEmpty(t, compiled)
}
