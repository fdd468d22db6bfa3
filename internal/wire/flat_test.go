package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
	systemv1 "inos/schema/system/v1"
)

// The bytes equal those that the library writes.
func TestFlatCommandIsTheLibrarysOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Just(strings.Repeat("x", 5000)))
		c := capsule.Command{ID: text.Draw(t, "id"), Target: text.Draw(t, "target"), Type: capsule.CommandType(rapid.IntRange(0, 5).Draw(t, "type"))}
		if rapid.Bool().Draw(t, "timed") {
			c.Timestamp = time.Unix(0, rapid.Int64Range(1, 1<<62).Draw(t, "at"))
			c.Deadline = c.Timestamp.Add(time.Second)
			c.Timeout = time.Duration(rapid.Int64().Draw(t, "timeout"))
		}
		params := rapid.SliceOf(rapid.Byte()).Draw(t, "params")
		if len(params) == 0 {
			params = nil // as encodeParams leaves it
		}
		want, err := build(systemv1.NewRootLifecycleCmd, func(s systemv1.LifecycleCmd, p *put) {
			p.do(s.SetId(c.ID))
			s.SetType(systemv1.CommandType(c.Type))
			p.do(s.SetTargetCapsuleId(c.Target))
			p.do(s.SetParams(params))
			s.SetTimestamp(nanos(c.Timestamp))
			s.SetDeadline(nanos(c.Deadline))
			s.SetTimeoutNs(int64(c.Timeout))
		})
		require.NoError(t, err)
		require.Equal(t, want, flatCommand(c, params))
	})
}

// For any bytes, flatReply reads what the library reads.
func TestFlatReplyIsTheLibrarysOwn(t *testing.T) {
	flat := 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String())
		r := capsule.Reply{ID: text.Draw(t, "id"), Message: text.Draw(t, "message"), CapsuleID: text.Draw(t, "capsule"),
			SnapshotCID: text.Draw(t, "snapshot"), Reason: text.Draw(t, "reason"), Code: capsule.ReplyCode(rapid.IntRange(0, 9).Draw(t, "code")),
			MemoryBytes: rapid.Uint64().Draw(t, "bytes"), MemoryEpoch: rapid.Uint32().Draw(t, "epoch")}
		if at := rapid.Int64().Draw(t, "at"); at != 0 {
			r.Timestamp = time.Unix(0, at).UTC()
		}
		b, err := EncodeReply(r)
		require.NoError(t, err)
		got, ok := flatReply(b)
		require.True(t, ok)
		require.Equal(t, r, got)
		// Damaged, it is refused here, or read as the library reads it.
		for range rapid.IntRange(1, 4).Draw(t, "damage") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "where")] ^= rapid.Byte().Draw(t, "how")
		}
		if got, ok := flatReply(b); ok {
			flat++
			want, err := decodeReply(b)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
	require.Positive(t, flat)
}

func TestAReplyCostsItsTexts(t *testing.T) {
	b, err := EncodeReply(capsule.Reply{ID: "command", CapsuleID: "capsule", Timestamp: time.Unix(1, 0)})
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = DecodeReply(b) }), 2.0)
	c := capsule.Command{ID: "command", Type: capsule.Resume, Target: "capsule"}
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = EncodeCommand(c) }), 1.0)
}
