package node

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/submit"
)

// bought is the output of a job of the capsule cid that from pays for.
func bought(t *testing.T, from *Node, cid capsule.CID, method string, copies uint8, input []byte, args ...string) (string, error) {
	t.Helper()
	sub, err := submit.New(submit.Order{
		Capsule: cid, Method: method, Args: args, Input: input, Budget: 20_000, Replicas: copies,
		Deadline: time.Now().Add(time.Minute), CreditLedgerID: string(from.Signer.Ledger()), Module: "test", Device: from.Signer.Peer(),
	}, time.Now())
	require.NoError(t, err)
	out, err := from.Kernel.Dispatch(t.Context(), sub)
	return string(out.Output), err
}

// commanded is the answer to a command of a node's own console that must be obeyed.
func commanded(t *testing.T, n *Node, cmd capsule.Command) capsule.Reply {
	t.Helper()
	cmd.ID, cmd.Deadline = "test", time.Now().Add(time.Minute)
	r, err := n.Kernel.Command(t.Context(), "", cmd)
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	return r
}

// nobodyMeets has two customers, with keys of their own and no slots, buy of three workers:
// one customer's data never reaches the next, whatever became of the job that had it. Not
// what the capsule keeps, not what lies in its memory, not the memory's length. k-of-n jobs,
// the workers' own jobs, spawned capsules and snapshots are among it. wasm is the
// capsule state.
func nobodyMeets(t *testing.T, wasm []byte, workers []*Node, one, other *Node) {
	info, err := capsule.Inspect(wasm)
	require.NoError(t, err)
	cid, length := info.CID, uint64(info.MinPages)*capsule.PageSize
	for _, n := range append([]*Node{one, other}, workers...) {
		_, err := n.Library.Publish("state", wasm)
		require.NoError(t, err)
	}
	secret := []byte("the first customer's own words, " + strings.Repeat("which nobody else reads. ", 20))
	inverted := bytes.Clone(secret)
	for i := range inverted {
		inverted[i] = ^inverted[i]
	}
	finds := func(n *Node, copies uint8) {
		t.Helper()
		got, err := bought(t, n, cid, "get", copies, nil)
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = bought(t, n, cid, "find", copies, inverted)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("0 %d", length), got, "the memory is as at its start, and as long")
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
			// As a job of one node, and as one of three; with and without more memory than
			// there is at the start.
			for range 4 {
				_, err := bought(t, one, cid, method, copies, secret, "1500000")
				require.Equal(t, method == "put", err == nil, "%v", err)
			}
			_, _ = bought(t, one, cid, method, copies, secret)
			nobodyFinds()
		}
	}
	for _, w := range workers {
		_, err := bought(t, w, cid, "put", 1, secret)
		require.NoError(t, err, "a job that the node gives itself")
	}
	nobodyFinds()

	// A capsule that somebody spawned is theirs: no job meets it, before or after it was
	// moved, and it meets no job.
	var spawned []capsule.Reply
	for _, w := range workers {
		r := commanded(t, w, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid.String()}})
		_, err := w.Supervisor.Call(t.Context(), r.CapsuleID, 0, capsule.Task{Method: "put", Input: secret}, nil)
		require.NoError(t, err)
		spawned = append(spawned, r)
	}
	finds(other, 1)
	finds(other, 3)
	for i, w := range workers {
		commanded(t, w, capsule.Command{Type: capsule.Pause, Target: spawned[i].CapsuleID})
		image := commanded(t, w, capsule.Command{Type: capsule.Snapshot, Target: spawned[i].CapsuleID})
		commanded(t, w, capsule.Command{Type: capsule.Kill, Target: spawned[i].CapsuleID})
		restored := commanded(t, w, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: image.SnapshotCID}})
		got, err := w.Supervisor.Call(t.Context(), restored.CapsuleID, 0, capsule.Task{Method: "get"}, nil)
		require.NoError(t, err)
		require.Equal(t, secret, got, "its spawner has it still")
		spawned[i] = restored
	}
	nobodyFinds()
	for i, w := range workers {
		commanded(t, w, capsule.Command{Type: capsule.Kill, Target: spawned[i].CapsuleID})
	}
	nobodyFinds()
}
