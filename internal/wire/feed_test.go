package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/wire"
)

func TestFeedRoundTrip(t *testing.T) {
	env, err := wire.WithFeed(governance.Envelope{ID: "1", Type: mesh.FeedType}, "capsule-7", 99)
	require.NoError(t, err)
	b, err := wire.EncodeEnvelope(env)
	require.NoError(t, err)
	got, err := wire.DecodeEnvelope(b)
	require.NoError(t, err)
	id, window, err := wire.FeedOf(got)
	require.NoError(t, err)
	require.Equal(t, "capsule-7", id)
	require.EqualValues(t, 99, window)
	got.Payload.TypeID++
	_, _, err = wire.FeedOf(got)
	require.ErrorIs(t, err, wire.ErrMalformed, "another payload")

	for _, want := range []wire.FeedFrame{
		{},
		{Taken: 1 << 40},
		{End: &mesh.FeedEnd{}},
		{End: &mesh.FeedEnd{Code: capsule.Crashed, Reason: "capsule_killed", Message: "killed: why", Taken: 3}},
	} {
		b, err := wire.EncodeFeedFrame(want)
		require.NoError(t, err)
		got, err := wire.DecodeFeedFrame(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
