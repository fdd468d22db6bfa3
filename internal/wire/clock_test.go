package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/clock/clocktest"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// Whatever the two clocks show, the receiver knows how old an envelope is, and how far the
// sender's clock is ahead.
func TestReceiveEnvelope(t *testing.T) {
	for _, ahead := range []time.Duration{0, 20 * time.Second, -100 * time.Second, time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour} {
		sender, receiver := clocktest.New(ahead), clocktest.New(0)
		made := sender.Now()
		sender.Set(ahead + 3*time.Hour) // its clock is set before it sends
		b, err := wire.SendEnvelope(governance.Envelope{ID: "a", Type: "b:c:v1", Timestamp: made.Add(-8 * time.Second)}, sender.Now())
		require.NoError(t, err)
		now := receiver.Now()
		e, got, err := wire.ReceiveEnvelope(b, now, time.Minute)
		require.NoError(t, err)
		require.InDelta(t, float64(ahead+3*time.Hour), float64(got), float64(time.Minute))
		require.GreaterOrEqual(t, now.Sub(e.Timestamp), 8*time.Second)
		require.Less(t, now.Sub(e.Timestamp), time.Minute)

		// One that does not say when it was sent: what is known of its sender's clock.
		sender.Set(ahead)
		b, err = wire.EncodeEnvelope(governance.Envelope{ID: "a", Type: "b:c:v1", Timestamp: sender.Now()})
		require.NoError(t, err)
		e, got, err = wire.ReceiveEnvelope(b, receiver.Now(), ahead)
		require.NoError(t, err)
		require.Equal(t, ahead, got)
		require.Less(t, receiver.Now().Sub(e.Timestamp).Abs(), time.Minute)
	}
}

// Durations and times arrive; a message without them is understood.
func TestTimesTravel(t *testing.T) {
	now := time.Now()
	data, err := wire.EncodeJobFrame(wire.JobFrame{Request: &wire.JobRequest{Envelope: []byte("e"), Timeout: 8 * time.Second}})
	require.NoError(t, err)
	f, err := wire.DecodeJobFrame(data)
	require.NoError(t, err)
	require.Equal(t, 8*time.Second, f.Request.Timeout)

	data, err = wire.EncodeJobFrame(wire.JobFrame{Result: &wire.JobResult{SentAt: now}})
	require.NoError(t, err)
	f, err = wire.DecodeJobFrame(data)
	require.NoError(t, err)
	require.Equal(t, now.UnixNano(), f.Result.SentAt.UnixNano())

	data, err = wire.EncodeProfile(mesh.Profile{Issued: now, Expires: now.Add(time.Minute)})
	require.NoError(t, err)
	p, err := wire.DecodeProfile(data)
	require.NoError(t, err)
	require.Equal(t, time.Minute, p.Expires.Sub(p.Issued))
	require.Equal(t, now.UnixNano(), p.Issued.UnixNano())

	data, err = wire.EncodeProfile(mesh.Profile{Expires: now})
	require.NoError(t, err)
	p, err = wire.DecodeProfile(data)
	require.NoError(t, err)
	require.True(t, p.Issued.IsZero())
}
