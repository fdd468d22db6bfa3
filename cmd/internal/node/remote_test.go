//go:build !js

package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
)

// neighbours are two nodes over loopback WebTransport, joined; the first may spawn
// on the second.
func neighbours(t *testing.T, seed byte) (home, far *peer) {
	home = start(t, seed, nil)
	far = startOn(t, seed+1, "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", trusting(seed))
	require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, far.mesh.Addrs()))
	return home, far
}

// feed streams text into a capsule on a node.
func feed(t *testing.T, home, on *peer, id, text string) {
	t.Helper()
	taken, err := home.Kernel.Feed(t.Context(), on.mesh.Self(), id, strings.NewReader(text), lifecycle.FeedOptions{})
	require.NoError(t, err)
	require.EqualValues(t, len(text), taken)
}

// total is what the word count called id has counted: of all that was fed to it, for a
// task waits behind the stream.
func total(t *testing.T, on *peer, id string) string {
	t.Helper()
	out, err := on.Supervisor.Call(t.Context(), id, 0, capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	return string(out)
}

// Every command on a capsule of another node, over the mesh; and its snapshot comes
// home and goes on here: the result is that of a capsule that never moved.
func TestEveryCommandOnAnotherNodeAndMigration(t *testing.T) {
	home, far := neighbours(t, 81)
	cid, err := home.Library.Publish("wordcount", capsules.Built(t, "wordcount"))
	require.NoError(t, err)
	text := strings.Repeat("größer words, and a few löngish ones\n", 60_000)
	third := len(text)/3 + 3 // within a word, a character even, or not: it must not matter

	// spawn, by CID alone: the other node fetches the capsule from here.
	require.False(t, far.Library.Has(cid))
	spawned := command(t, home, far, capsule.Command{Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: cid.String(), CreditLedgerID: string(home.Signer.Ledger())}})
	require.True(t, far.Library.Has(cid))
	require.NotEmpty(t, spawned.CapsuleID)
	require.Empty(t, home.Supervisor.List(), "it runs there, not here")
	at := func(t capsule.CommandType, change func(*capsule.Command)) capsule.Command {
		cmd := capsule.Command{Type: t, Target: spawned.CapsuleID}
		if change != nil {
			change(&cmd)
		}
		return cmd
	}
	feed(t, home, far, spawned.CapsuleID, text[:third])

	// resizeMem: the new length and the new epoch come with the answer.
	grown := command(t, home, far, at(capsule.ResizeMem, func(c *capsule.Command) {
		c.Resize = &capsule.ResizeParams{Bytes: spawned.MemoryBytes + 4*capsule.PageSize}
	}))
	require.Equal(t, spawned.MemoryBytes+4*capsule.PageSize, grown.MemoryBytes)
	require.Greater(t, grown.MemoryEpoch, spawned.MemoryEpoch)
	past, err := home.Kernel.Command(t.Context(), far.mesh.Self(), capsule.Command{ID: "past", Type: capsule.ResizeMem, Target: spawned.CapsuleID,
		Resize: &capsule.ResizeParams{Bytes: 1 << 40}, Deadline: time.Now().Add(time.Minute)})
	require.NoError(t, err)
	require.Equal(t, capsule.Limit, past.Code)
	feed(t, home, far, spawned.CapsuleID, text[third:2*third])

	// A snapshot of what is not paused is refused; pause, snapshot.
	refused, err := home.Kernel.Command(t.Context(), far.mesh.Self(), at(capsule.Snapshot, func(c *capsule.Command) { c.ID = "early" }))
	require.NoError(t, err)
	require.Equal(t, capsule.InvalidState, refused.Code)
	command(t, home, far, at(capsule.Pause, nil))
	image := command(t, home, far, at(capsule.Snapshot, func(c *capsule.Command) { c.Snapshot = &capsule.SnapshotParams{Compress: true} }))
	require.NotEmpty(t, image.SnapshotCID)

	// The original goes on after resume, and counts to the end: one judge.
	command(t, home, far, at(capsule.Resume, nil))
	feed(t, home, far, spawned.CapsuleID, text[2*third:])
	stayed := total(t, far, spawned.CapsuleID)

	// The snapshot is spawned here: it comes over the mesh.
	moved := command(t, home, home, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: image.SnapshotCID}})
	require.Len(t, home.Supervisor.List(), 1)
	require.Equal(t, grown.MemoryBytes, moved.MemoryBytes)
	feed(t, home, home, moved.CapsuleID, text[2*third:])
	require.Equal(t, stayed, total(t, home, moved.CapsuleID))

	// The other judge never moved and was never stopped.
	command(t, home, home, capsule.Command{Type: capsule.Kill, Target: moved.CapsuleID})
	undisturbed := command(t, home, home, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid.String()}})
	feed(t, home, home, undisturbed.CapsuleID, text)
	require.Equal(t, stayed, total(t, home, undisturbed.CapsuleID))

	// kill: what comes after is told so, and no snapshot of it is lost.
	command(t, home, far, at(capsule.Kill, func(c *capsule.Command) { c.Kill = &capsule.KillParams{Reason: "moved"} }))
	gone, err := home.Kernel.Command(t.Context(), far.mesh.Self(), at(capsule.Pause, func(c *capsule.Command) { c.ID = "late" }))
	require.NoError(t, err)
	require.Contains(t, []capsule.ReplyCode{capsule.InvalidState, capsule.UnknownCapsule}, gone.Code)
	_, err = home.Kernel.Feed(t.Context(), far.mesh.Self(), spawned.CapsuleID, strings.NewReader("late"), lifecycle.FeedOptions{})
	require.ErrorIs(t, err, supervisor.ErrNoCapsule)

	// And back to where it came from: the other node has the snapshot still.
	back := command(t, home, far, capsule.Command{Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: image.SnapshotCID, CreditLedgerID: string(home.Signer.Ledger())}})
	feed(t, home, far, back.CapsuleID, text[2*third:])
	require.Equal(t, stayed, total(t, far, back.CapsuleID))
}

// A snapshot made here is spawned on a node that has neither it nor its module.
func TestMigrationToANodeThatHasNothing(t *testing.T) {
	home, far := neighbours(t, 83)
	cid, err := home.Library.Publish("wordcount", capsules.Built(t, "wordcount"))
	require.NoError(t, err)
	here := command(t, home, home, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid.String()}})
	feed(t, home, home, here.CapsuleID, "to be or no")
	command(t, home, home, capsule.Command{Type: capsule.Pause, Target: here.CapsuleID})
	image := command(t, home, home, capsule.Command{Type: capsule.Snapshot, Target: here.CapsuleID})
	there := command(t, home, far, capsule.Command{Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: image.SnapshotCID, CreditLedgerID: string(home.Signer.Ledger())}})
	feed(t, home, far, there.CapsuleID, "t to be")
	require.Contains(t, total(t, far, there.CapsuleID), "words 6\n")

	nowhere := capsule.SumCID([]byte("nothing has this"))
	r, err := home.Kernel.Command(t.Context(), far.mesh.Self(), capsule.Command{ID: "x", Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: nowhere.String(), CreditLedgerID: string(home.Signer.Ledger())}})
	require.NoError(t, err)
	require.Equal(t, capsule.BadParams, r.Code)
}

// What a capsule on another node was asked before it was killed is answered, and
// not as if it had been done; nothing of it is taken for its successor's.
func TestLateAnswersOfAKilledCapsule(t *testing.T) {
	home, far := neighbours(t, 85)
	first := spawn(t, home, far, "fault")

	// It loops without a safe point: it hears a pause, and can only answer late.
	looping := make(chan struct{}, 1)
	ran := make(chan error, 1)
	go func() {
		_, err := far.Supervisor.Call(t.Context(), first.CapsuleID, 0, capsule.Task{Method: "spin"}, func(uint64, uint64) {
			select {
			case looping <- struct{}{}:
			default:
			}
		})
		ran <- err
	}()
	<-looping
	paused := make(chan capsule.Reply, 1)
	go func() {
		r, _ := home.Kernel.Command(t.Context(), far.mesh.Self(), capsule.Command{ID: "pause", Type: capsule.Pause,
			Target: first.CapsuleID, Deadline: time.Now().Add(time.Minute)})
		paused <- r
	}()
	// A stream that it will never read to its end.
	started := make(chan struct{})
	fed := make(chan error, 1)
	go func() {
		_, err := home.Kernel.Feed(t.Context(), far.mesh.Self(), first.CapsuleID, &endlessReader{started: started}, lifecycle.FeedOptions{})
		fed <- err
	}()
	<-started
	command(t, home, far, capsule.Command{Type: capsule.Kill, Target: first.CapsuleID, Kill: &capsule.KillParams{Reason: "test"}})
	r := <-paused
	require.Equal(t, "pause", r.ID)
	require.NotEqual(t, capsule.OK, r.Code, "nobody paused")
	err := <-ran
	require.Error(t, err)
	require.True(t, errors.Is(err, capsule.ErrKilled) || errors.Is(err, capsule.ErrStopped), "%v", err)
	var end *lifecycle.FeedError
	require.ErrorAs(t, <-fed, &end)
	require.Equal(t, capsule.Crashed, end.Reply, "%v", end)

	second := spawn(t, home, far, "fault")
	require.NotEqual(t, first.CapsuleID, second.CapsuleID)
	command(t, home, far, capsule.Command{Type: capsule.Pause, Target: second.CapsuleID})
	command(t, home, far, capsule.Command{Type: capsule.Resume, Target: second.CapsuleID})
	feed(t, home, far, second.CapsuleID, "a stream of its own")
}

// endlessReader closes started when it has given more than fits a ring.
type endlessReader struct {
	given   int
	started chan struct{}
}

func (e *endlessReader) Read(p []byte) (int, error) {
	if before := e.given; before <= 256<<10 && before+len(p) > 256<<10 {
		close(e.started)
	}
	e.given += len(p)
	return len(p), nil
}

// A node that may not spawn here may not feed here either, nor one whose rights do
// not say so.
func TestStrangersDoNotFeed(t *testing.T) {
	home, far := neighbours(t, 87)
	other := start(t, 89, nil)
	require.NoError(t, other.Kernel.Join(t.Context(), other.mesh, far.mesh.Addrs()))
	id := spawn(t, home, far, "wordcount").CapsuleID
	_, err := other.Kernel.Feed(t.Context(), far.mesh.Self(), id, strings.NewReader("text"), lifecycle.FeedOptions{})
	require.ErrorIs(t, err, lifecycle.ErrDenied)
	feed(t, home, far, id, "text")

	p := governance.Policy{Version: 1, Lifecycle: []governance.LifecycleRule{{Peer: testkit.Peer(89), Commands: []capsule.CommandType{capsule.Feed}}}}
	require.NoError(t, far.Gate.Replace(p))
	feed(t, other, far, id, " text")
	require.Contains(t, total(t, far, id), "words 2\n")
}
