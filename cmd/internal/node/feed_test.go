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
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
)

// A stream into a real capsule, much longer than its ring: all of it arrives, in
// order, and the capsule's own count says so.
func TestStreamIntoACapsule(t *testing.T) {
	home := start(t, 41, nil)
	cid, err := home.Library.Publish("wordcount", capsules.Built(t, "wordcount"))
	require.NoError(t, err)
	var r capsule.Reply
	require.Eventually(t, func() bool { // the node has just been started
		r, err = home.Kernel.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid.String()}})
		return err == nil && r.Code == capsule.OK
	}, 10*time.Second, time.Millisecond, "%v", &r.Message)

	text := strings.Repeat("the quick brown fox jumps over the lazy dog\n", 100_000)
	sent, err := home.Kernel.Feed(t.Context(), "", r.CapsuleID, strings.NewReader(text), lifecycle.FeedOptions{})
	require.NoError(t, err)
	require.EqualValues(t, len(text), sent)

	out, err := home.Supervisor.Call(t.Context(), r.CapsuleID, 0, capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	require.Contains(t, string(out), fmt.Sprint(len(strings.Fields(text))), "words")
	require.Contains(t, string(out), fmt.Sprint(len(text)), "bytes")

	_, err = home.Kernel.Feed(t.Context(), "", "nobody", bytes.NewReader([]byte("x")), lifecycle.FeedOptions{})
	require.ErrorIs(t, err, supervisor.ErrNoCapsule)
}
