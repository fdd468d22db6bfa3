//go:build !js

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit"
)

// asked is what the capsule that home spawned on a node answers to a call.
func asked(t *testing.T, home, on *peer, id, method string, args ...string) (string, error) {
	t.Helper()
	out, err := home.Kernel.Call(t.Context(), on.mesh.Self(), id, capsule.Task{Method: method, Args: args}, lifecycle.CallOptions{})
	return string(out.Output), err
}

// counted is the total of the word count that home spawned on a node.
func counted(t *testing.T, home, on *peer, id string) string {
	t.Helper()
	out, err := asked(t, home, on, id, "total")
	require.NoError(t, err)
	return out
}

// The total of a stream comes from the very instance that was fed, here and on another
// node, however many run of the same module; and so it does after each of many jobs.
func TestACallReachesThatVeryInstance(t *testing.T) {
	home, far := neighbours(t, 71)
	for _, on := range []*peer{home, far} {
		var ids []string
		for n := range 4 {
			id := spawn(t, home, on, "wordcount").CapsuleID
			feed(t, home, on, id, strings.Repeat("word ", n+1))
			ids = append(ids, id)
		}
		for range 3 {
			for n, id := range ids {
				require.Contains(t, counted(t, home, on, id), fmt.Sprintf("words %d\n", n+1))
			}
		}
		_, err := asked(t, home, on, ids[0], "no such method")
		require.ErrorIs(t, err, capsule.ErrUnknownMethod)
		command(t, home, on, capsule.Command{Type: capsule.Pause, Target: ids[0]})
		_, err = asked(t, home, on, ids[0], "total")
		require.ErrorIs(t, err, supervisor.ErrPaused)
		command(t, home, on, capsule.Command{Type: capsule.Kill, Target: ids[0]})
		_, err = asked(t, home, on, ids[0], "total")
		require.ErrorIs(t, err, supervisor.ErrNoCapsule)
		_, err = home.Kernel.Call(t.Context(), on.mesh.Self(), ids[1], capsule.Task{Method: "count", Input: make([]byte, 3<<20)}, lifecycle.CallOptions{})
		require.NoError(t, err, "an input longer than a frame")
		for _, id := range ids[1:] {
			command(t, home, on, capsule.Command{Type: capsule.Kill, Target: id})
		}
	}
}

// Whoever spawned a capsule may call it, and nobody else: not the node's own console,
// and not a node that the policy lets give any command.
func TestOnlyTheSpawnerCalls(t *testing.T) {
	home, far := neighbours(t, 73)
	other := start(t, 75, nil)
	require.NoError(t, other.Kernel.Join(t.Context(), other.mesh, far.mesh.Addrs()))
	require.NoError(t, far.Gate.Replace(governance.Policy{Version: 1, Lifecycle: []governance.LifecycleRule{
		{Peer: testkit.Peer(73), Commands: []capsule.CommandType{capsule.Spawn}}, {Peer: testkit.Peer(75)}}}))
	id := spawn(t, home, far, "wordcount").CapsuleID
	feed(t, other, far, id, "all commands are its to give")
	_, err := asked(t, other, far, id, "total")
	require.ErrorIs(t, err, lifecycle.ErrDenied)
	_, err = asked(t, far, far, id, "total")
	require.ErrorIs(t, err, lifecycle.ErrDenied)
	require.Contains(t, counted(t, home, far, id), "words 6\n")
	own := spawn(t, far, far, "wordcount").CapsuleID
	_, err = asked(t, home, far, own, "total")
	require.ErrorIs(t, err, lifecycle.ErrDenied)
}

// A call ends with its caller: the capsule on the other node is free for the next one.
func TestACallEndsWithItsCaller(t *testing.T) {
	home, far := neighbours(t, 77)
	for _, on := range []*peer{home, far} {
		id := spawn(t, home, on, "fault").CapsuleID
		ctx, cancel := context.WithCancel(t.Context())
		working := make(chan struct{})
		go func() {
			defer close(working)
			require.Eventually(t, func() bool { return infoOf(on, id).Jobs == 1 }, 30*time.Second, time.Millisecond)
			cancel()
		}()
		_, err := home.Kernel.Call(ctx, on.mesh.Self(), id, capsule.Task{Method: "work"}, lifecycle.CallOptions{})
		require.Error(t, err)
		require.Error(t, ctx.Err())
		<-working
		_, err = asked(t, home, on, id, "args")
		require.NoError(t, err)
		require.Zero(t, infoOf(on, id).Restarts, "it has let go")

		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = home.Kernel.Call(ctx, on.mesh.Self(), id, capsule.Task{Method: "work"}, lifecycle.CallOptions{})
		require.Error(t, err)
		_, err = asked(t, home, on, id, "args")
		require.NoError(t, err)
	}
}
