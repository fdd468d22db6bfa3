//go:build !js

package node

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/submit"
)

// customer is a node that has no slots of its own and pays with a key of its own.
func customer(t *testing.T, seed byte, workers ...*peer) *peer {
	t.Helper()
	c := start(t, seed, func(c *Config) { c.Slots = -1 })
	events, cancel := c.Kernel.Subscribe(1 << 10)
	defer cancel()
	for _, w := range workers {
		require.NoError(t, c.Kernel.Join(t.Context(), c.mesh, w.mesh.Addrs()))
	}
	for heard := map[identity.PeerID]bool{}; len(heard) < len(workers); {
		if e, ok := (<-events).(kernel.NodeHeard); ok {
			heard[e.Profile.Peer] = true
		}
	}
	return c
}

// bought is the output of a job of the capsule state that from pays for.
func bought(t *testing.T, from *peer, method string, copies uint8, input []byte, args ...string) (string, error) {
	t.Helper()
	sub, err := submit.New(submit.Order{
		Capsule: capsule.SumCID(built(t, "state")), Method: method, Args: args, Input: input, Budget: 20_000, Replicas: copies,
		Deadline: time.Now().Add(time.Minute), CreditLedgerID: string(from.Wallet.Ledger()), Module: "test", Device: from.mesh.Self(),
	}, time.Now())
	require.NoError(t, err)
	out, err := from.Kernel.Dispatch(t.Context(), sub)
	return string(out.Output), err
}

// One customer's data never reaches the next, whatever became of the job that had it: not
// what the capsule keeps, not what lies in its memory, not the memory's length. The
// customers have keys of their own; k-of-n jobs, the nodes' own jobs, spawned capsules
// and snapshots are among it.
func TestNoCustomerMeetsAnother(t *testing.T) {
	workers := []*peer{start(t, 101, nil), start(t, 102, nil), start(t, 103, nil)}
	wasm := built(t, "state")
	one, other := customer(t, 104, workers...), customer(t, 105, workers...)
	for _, p := range append([]*peer{one, other}, workers...) {
		_, err := p.Library.Publish("state", wasm)
		require.NoError(t, err)
	}
	secret := []byte("the first customer's own words, " + strings.Repeat("which nobody else reads. ", 20))
	inverted := bytes.Clone(secret)
	for i := range inverted {
		inverted[i] = ^inverted[i]
	}
	finds := func(p *peer, copies uint8) {
		t.Helper()
		got, err := bought(t, p, "get", copies, nil)
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = bought(t, p, "find", copies, inverted)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("0 %d", 10*capsule.PageSize), got, "the memory is as at its start, and as long")
	}
	nobodyFinds := func() {
		t.Helper()
		finds(one, 1)
		finds(other, 1)
		finds(other, 3)
		for _, w := range workers {
			finds(w, 1)
		}
	}
	nobodyFinds()
	for _, copies := range []uint8{1, 3} {
		for _, method := range []string{"put", "put_and_fail", "put_and_panic"} {
			// Each worker has it: as a job of one node, and as a job of three; with and
			// without more memory than before.
			for range 4 {
				_, err := bought(t, one, method, copies, secret, "1000000")
				require.Equal(t, method == "put", err == nil, "%v", err)
			}
			_, _ = bought(t, one, method, copies, secret)
			nobodyFinds()
		}
	}
	for _, w := range workers {
		_, err := bought(t, w, "put", 1, secret)
		require.NoError(t, err, "a job that the node gives itself")
	}
	nobodyFinds()

	// A capsule that somebody spawned is theirs: no job meets it, before or after it was
	// moved, and it meets no job.
	var spawned []capsule.Reply
	for _, w := range workers {
		r := spawn(t, w, w, "state")
		_, err := w.Supervisor.Call(t.Context(), r.CapsuleID, 0, capsule.Task{Method: "put", Input: secret}, nil)
		require.NoError(t, err)
		spawned = append(spawned, r)
	}
	finds(other, 1)
	finds(other, 3)
	for i, w := range workers {
		command(t, w, w, capsule.Command{Type: capsule.Pause, Target: spawned[i].CapsuleID})
		image := command(t, w, w, capsule.Command{Type: capsule.Snapshot, Target: spawned[i].CapsuleID})
		command(t, w, w, capsule.Command{Type: capsule.Kill, Target: spawned[i].CapsuleID})
		restored := command(t, w, w, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: image.SnapshotCID}})
		got, err := w.Supervisor.Call(t.Context(), restored.CapsuleID, 0, capsule.Task{Method: "get"}, nil)
		require.NoError(t, err)
		require.Equal(t, secret, got, "its spawner has it still")
	}
	nobodyFinds()
}
