package wire_test

import (
	"testing"
	"time"

	capnp "capnproto.org/go/capnp/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/governance"
	"inos/internal/wire"
	systemv1 "inos/schema/system/v1"
)

func drawTime(t *rapid.T, label string) time.Time {
	ns := rapid.Int64Range(0, 1<<62).Draw(t, label)
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func drawEnvelope(t *rapid.T) governance.Envelope {
	text := rapid.String()
	return governance.Envelope{
		ID:        text.Draw(t, "id"),
		Type:      text.Draw(t, "type"),
		Timestamp: drawTime(t, "timestamp"),
		Metadata: governance.Metadata{
			ModuleID:       text.Draw(t, "module"),
			UserID:         text.Draw(t, "user"),
			DeviceID:       text.Draw(t, "device"),
			TraceParent:    text.Draw(t, "traceParent"),
			TraceState:     text.Draw(t, "traceState"),
			AuthToken:      text.Draw(t, "auth"),
			CreditLedgerID: text.Draw(t, "ledger"),
			Version:        rapid.Uint32().Draw(t, "metaVersion"),
		},
		Payload: governance.Payload{
			TypeID: rapid.Uint64().Draw(t, "typeID"),
			Data:   nilIfEmpty(rapid.SliceOf(rapid.Byte()).Draw(t, "data")),
		},
		Version: rapid.Uint32().Draw(t, "version"),
	}
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func TestEnvelopeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEnvelope(t)
		b, err := wire.EncodeEnvelope(want)
		require.NoError(t, err)
		got, err := wire.DecodeEnvelope(b)
		require.NoError(t, err)
		require.Equal(t, b, got.Wire)
		got.Wire = nil
		require.Equal(t, want, got)
	})
}

// A newer program's envelope has fields unknown here, in the envelope itself and in its
// metadata. They must survive re-encoding.
func TestEnvelopeCarriesNewerFields(t *testing.T) {
	_, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	require.NoError(t, err)
	newer, err := capnp.NewRootStruct(seg, capnp.ObjectSize{DataSize: 32, PointerCount: 6})
	require.NoError(t, err)
	newer.SetUint64(24, 0xC0FFEE)
	require.NoError(t, newer.SetText(5, "from the future"))
	meta, err := capnp.NewStruct(seg, capnp.ObjectSize{DataSize: 16, PointerCount: 9})
	require.NoError(t, err)
	meta.SetUint64(8, 0xBEEF)
	require.NoError(t, meta.SetText(8, "newer metadata"))
	env := systemv1.Envelope(newer)
	require.NoError(t, env.SetId("id-1"))
	require.NoError(t, env.SetMetadata(systemv1.Metadata(meta)))
	arrived, err := seg.Message().Marshal()
	require.NoError(t, err)

	e, err := wire.DecodeEnvelope(arrived)
	require.NoError(t, err)
	require.Equal(t, "id-1", e.ID)
	e.Metadata.UserID = "set on the way"
	forwarded, err := wire.EncodeEnvelope(e)
	require.NoError(t, err)

	msg, err := capnp.Unmarshal(forwarded)
	require.NoError(t, err)
	got, err := systemv1.ReadRootEnvelope(msg)
	require.NoError(t, err)
	require.EqualValues(t, 0xC0FFEE, capnp.Struct(got).Uint64(24))
	ptr, err := capnp.Struct(got).Ptr(5)
	require.NoError(t, err)
	require.Equal(t, "from the future", ptr.Text())
	gotMeta, err := got.Metadata()
	require.NoError(t, err)
	require.EqualValues(t, 0xBEEF, capnp.Struct(gotMeta).Uint64(8))
	ptr, err = capnp.Struct(gotMeta).Ptr(8)
	require.NoError(t, err)
	require.Equal(t, "newer metadata", ptr.Text())
	user, err := gotMeta.UserId()
	require.NoError(t, err)
	require.Equal(t, "set on the way", user)
}

// An older program's envelope has fewer fields; re-encoding adds space for the others.
func TestEnvelopeFromOlderProgram(t *testing.T) {
	_, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	require.NoError(t, err)
	older, err := capnp.NewRootStruct(seg, capnp.ObjectSize{PointerCount: 1})
	require.NoError(t, err)
	require.NoError(t, older.SetText(0, "old"))
	arrived, err := seg.Message().Marshal()
	require.NoError(t, err)
	e, err := wire.DecodeEnvelope(arrived)
	require.NoError(t, err)
	e.Version, e.Type = 7, "a:b:v1"
	b, err := wire.EncodeEnvelope(e)
	require.NoError(t, err)
	got, err := wire.DecodeEnvelope(b)
	require.NoError(t, err)
	require.Equal(t, "old", got.ID)
	require.EqualValues(t, 7, got.Version)
}

func TestJobRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		texts := rapid.SliceOfN(text, 0, 4)
		want := governance.Job{
			ID:      text.Draw(t, "id"),
			Capsule: text.Draw(t, "capsule"),
			Method:  text.Draw(t, "method"),
			Args:    nilIfNone(texts.Draw(t, "args")),
			Requirements: governance.Requirements{
				Capabilities: nilIfNone(texts.Draw(t, "capabilities")),
				GeoPrefix:    text.Draw(t, "geo"),
				MaxCost:      rapid.Uint64().Draw(t, "maxCost"),
				Exclude:      nilIfNone(texts.Draw(t, "exclude")),
			},
			Priority:    rapid.Uint8().Draw(t, "priority"),
			Deadline:    drawTime(t, "deadline"),
			InputLength: rapid.Uint64().Draw(t, "inputLength"),
			InputCID:    text.Draw(t, "inputCID"),
			Budget:      rapid.Uint64().Draw(t, "budget"),
		}
		env, err := wire.WithJob(governance.Envelope{ID: "x"}, want)
		require.NoError(t, err)
		got, err := wire.JobOf(env)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func nilIfNone(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func TestJobOfRefusesOtherPayloads(t *testing.T) {
	_, err := wire.JobOf(governance.Envelope{Payload: governance.Payload{TypeID: 1}})
	require.ErrorIs(t, err, wire.ErrMalformed)
}
