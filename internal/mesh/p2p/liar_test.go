package p2p

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/trace"
	"inos/internal/wire"
)

func spanTexts(out mesh.JobOutcome) (texts []string) {
	for _, s := range out.Spans {
		texts = append(texts, s.Name, s.Code)
	}
	return texts
}

// What a node that lies can answer to a job, and what becomes of it.
func TestLyingAnswers(t *testing.T) {
	a, b := pair(t, 440, nil)
	a.cfg.maxTransfer = 1 << 20
	result := func(change func(*wire.JobResult)) wire.JobFrame {
		r := &wire.JobResult{Outcome: mesh.JobOutcome{JobID: "job-1", Node: b.Self()}}
		change(r)
		return wire.JobFrame{Result: r}
	}
	plain := func(*wire.JobResult) {}
	long := func(n uint64) func(*wire.JobResult) { return func(r *wire.JobResult) { r.OutputLength = n } }
	for name, c := range map[string]struct {
		frames []wire.JobFrame
		raw    []byte
		want   error
	}{
		"another's name":           {frames: []wire.JobFrame{result(func(r *wire.JobResult) { r.Outcome.Node = testkit.Peer(99) })}, want: mesh.ErrProtocol},
		"more output than allowed": {frames: []wire.JobFrame{result(long(1<<20 + 1))}, want: mesh.ErrProtocol},
		"more output than said":    {frames: []wire.JobFrame{result(long(2)), {Output: []byte("abc")}}, want: mesh.ErrProtocol},
		"less output than said":    {frames: []wire.JobFrame{result(long(4)), {Output: []byte("abc")}}, want: mesh.ErrUnreachable},
		"output before the result": {frames: []wire.JobFrame{{Output: []byte("abc")}, result(long(3))}, want: mesh.ErrProtocol},
		"a second result":          {frames: []wire.JobFrame{result(long(3)), result(plain)}, want: mesh.ErrProtocol},
		"progress after it":        {frames: []wire.JobFrame{result(long(3)), {Progress: &mesh.Progress{}}}, want: mesh.ErrProtocol},
		"a request":                {frames: []wire.JobFrame{{Cancel: true}}, want: mesh.ErrProtocol},
		"garbage":                  {raw: []byte("\x05hello"), want: mesh.ErrProtocol},
		"a frame without end":      {raw: []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), want: mesh.ErrProtocol},
		"a frame too long":         {raw: []byte("\xff\xff\xff\x7f"), want: mesh.ErrProtocol},
		"nothing":                  {want: mesh.ErrUnreachable},
		"words without end": {frames: []wire.JobFrame{result(func(r *wire.JobResult) {
			r.Outcome.Code = mesh.JobFailed
			r.Outcome.Message, r.Outcome.Reason = strings.Repeat("é", 10_000), strings.Repeat("x", 10_000)
		})}},
		"what terminals obey": {frames: []wire.JobFrame{result(func(r *wire.JobResult) {
			o := &r.Outcome
			o.Code, o.Message, o.Reason = mesh.JobFailed, "\x1b]0;mine\x07\x1b[2J\u202eok\r\n\u009b31mroot", "\x1b[31m"
			o.JobID, o.OutputCID, o.Run, o.Queued = "\x1b[2J", "\x1b[2J", math.MaxInt64, -1
			o.Spans = []trace.Span{{Name: "\x1b[2J", Code: "\x1b[2J"}}
		})}},
		"a code of tomorrow": {frames: []wire.JobFrame{result(func(r *wire.JobResult) { r.Outcome.Code = 42 })}},
	} {
		b.host.SetStreamHandler(JobProtocol, func(s network.Stream) {
			f := newFrames(s, b.cfg.StallTimeout)
			_, _ = f.read(requestFrame)
			for _, frame := range c.frames {
				_ = sendFrame(f, frame)
			}
			_, _ = s.Write(c.raw)
			_ = s.Close()
		})
		out, err := a.RunJob(t.Context(), b.Self(), call("x", nil), nil)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
			continue
		}
		require.NoError(t, err, name)
		require.LessOrEqual(t, len(out.Message), 1<<10, name)
		require.LessOrEqual(t, len(out.Reason), 64, name)
		for _, said := range append(spanTexts(out), out.Message, out.Reason, out.JobID, out.OutputCID) {
			require.Equal(t, -1, strings.IndexFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }), "%s: %q", name, said)
		}
		require.GreaterOrEqual(t, out.Queued, time.Duration(0), name)
		require.Less(t, out.Run, time.Minute, name)
		require.True(t, out.Code.Known(), name)
		if name == "a code of tomorrow" {
			require.Equal(t, mesh.JobInternal, out.Code)
			require.Contains(t, out.Message, "code(42)")
		}
	}
}
