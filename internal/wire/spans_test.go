package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/trace"
	"inos/internal/wire"
)

func TestSpans(t *testing.T) {
	begin := time.Unix(0, 1_700_000_000_123_456_789).UTC()
	root := trace.Start(trace.Context{}, "dispatch", "job", begin)
	spans := []trace.Span{
		root.End("node", "", begin.Add(time.Second)),
		trace.Start(root.Context(), "run", "job", begin).End("node", "failed", begin.Add(time.Millisecond)),
	}
	spans[0].Parent = trace.SpanID{}
	data, err := wire.EncodeSpans(spans)
	require.NoError(t, err)
	got, err := wire.DecodeSpans(data)
	require.NoError(t, err)
	require.Equal(t, spans, got)

	frame, err := wire.EncodeJobFrame(wire.JobFrame{Result: &wire.JobResult{Outcome: mesh.JobOutcome{JobID: "job", Spans: spans}}})
	require.NoError(t, err)
	f, err := wire.DecodeJobFrame(frame)
	require.NoError(t, err)
	require.Equal(t, spans, f.Result.Outcome.Spans)

	many := make([]trace.Span, wire.MaxSpans+10)
	data, err = wire.EncodeSpans(many)
	require.NoError(t, err)
	got, err = wire.DecodeSpans(data)
	require.NoError(t, err)
	require.Len(t, got, wire.MaxSpans)
	got, err = wire.DecodeSpans([]byte{})
	require.Error(t, err)
	require.Empty(t, got)
}

func TestJobCarriesItsCopies(t *testing.T) {
	data, err := wire.EncodeJob(governance.Job{ID: "x", Replicas: 5, Agree: 3})
	require.NoError(t, err)
	j, err := wire.DecodeJob(data)
	require.NoError(t, err)
	require.EqualValues(t, 5, j.Replicas)
	require.EqualValues(t, 3, j.Agree)
}
