package p2p

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// ours checks that err is this side's own: nothing was sent, and the peer broke nothing.
func ours(t *testing.T, err error, says string) {
	t.Helper()
	require.ErrorIs(t, err, mesh.ErrTooBig)
	require.ErrorIs(t, err, mesh.ErrUnsent)
	require.ErrorContains(t, err, says)
	for _, peers := range []error{mesh.ErrProtocol, mesh.ErrSignature, mesh.ErrUnreachable} {
		require.NotErrorIs(t, err, peers)
	}
}

// What is exactly as large as may travel does; one byte more is refused here, as this
// side's error.
func TestWhatTravelsAtItsLimit(t *testing.T) {
	a, b := pair(t, 950, func(c *Config) {
		c.Requests = map[string]mesh.RequestFunc{
			mesh.RequestTrace: func(context.Context, identity.PeerID, []byte) ([]byte, error) { return []byte("ok"), nil },
		}
	})
	const most = 1 << 20
	a.cfg.maxTransfer, b.cfg.maxTransfer = most, most
	out, err := a.RunJob(t.Context(), b.Self(), call("", make([]byte, most)), nil)
	require.NoError(t, err)
	require.Equal(t, mesh.JobOK, out.Code)
	_, err = a.RunJob(t.Context(), b.Self(), call("", make([]byte, most+1)), nil)
	ours(t, err, "input of 1048577 bytes, at most 1048576")

	// One that is sent all the same is refused there.
	a.cfg.maxTransfer = most + 1
	_, err = a.RunJob(t.Context(), b.Self(), call("", make([]byte, most+1)), nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, mesh.ErrUnsent)

	// The envelope and the voucher, both as long as may be.
	full := call("", nil)
	full.Job.Args = []string{strings.Repeat("a", mesh.MaxEnvelope-1000)}
	full.Envelope, err = wire.WithJob(full.Envelope, full.Job)
	require.NoError(t, err)
	full.Envelope.Metadata.TraceParent = strings.Repeat("t", 55)
	size := len(full.Envelope.Payload.Data) + len(full.Envelope.ID) + len(full.Envelope.Type) + 55
	full.Envelope.Metadata.ModuleID = strings.Repeat("m", mesh.MaxEnvelope-size)
	full.Voucher = make([]byte, mesh.MaxVoucher)
	_, err = a.RunJob(t.Context(), b.Self(), full, nil)
	require.NoError(t, err)
	long := full
	long.Voucher = make([]byte, mesh.MaxVoucher+1)
	_, err = a.RunJob(t.Context(), b.Self(), long, nil)
	ours(t, err, "voucher of 2049 bytes, at most 2048")
	long = full
	long.Envelope.Metadata.ModuleID += "m"
	_, err = a.RunJob(t.Context(), b.Self(), long, nil)
	ours(t, err, "envelope of 1040385 bytes, at most 1040384")

	_, err = a.Request(t.Context(), b.Self(), mesh.RequestTrace, bytes.Repeat([]byte("x"), mesh.MaxRequestBody))
	require.NoError(t, err)
	_, err = a.Request(t.Context(), b.Self(), mesh.RequestTrace, bytes.Repeat([]byte("x"), mesh.MaxRequestBody+1))
	ours(t, err, "note of 65537 bytes, at most 65536")

	spawn := func(n int) error {
		_, err := a.Command(t.Context(), b.Self(), mesh.CommandCall{Command: capsule.Command{
			ID: "1", Type: capsule.Spawn, Timestamp: time.Now(), Deadline: time.Now().Add(20 * time.Second),
			Spawn: &capsule.SpawnParams{CID: "c", Args: []string{strings.Repeat("a", n)}}}})
		return err
	}
	fits := 60 << 10
	for ; spawn(fits+8) == nil; fits += 8 { // a message is made of words
	}
	require.Less(t, mesh.MaxCommand-fits, 1<<10, "a command in its envelope takes little else")
	ours(t, spawn(fits+8), "at most 65536")

	feed := func(n int) error {
		_, err := a.Feed(t.Context(), b.Self(), mesh.FeedCall{Capsule: strings.Repeat("c", n)}, strings.NewReader("x"), nil)
		return err
	}
	ours(t, feed(mesh.MaxFeed), "feed request of")

	_, err = a.Call(t.Context(), b.Self(), mesh.CapsuleCall{Capsule: "c", Input: make([]byte, most+2)}, nil)
	ours(t, err, "input of 1048578 bytes, at most 1048577")
	_, err = a.Call(t.Context(), b.Self(), mesh.CapsuleCall{Capsule: "c", Args: []string{strings.Repeat("a", mesh.MaxRequest)}}, nil)
	ours(t, err, "call request of")

	_, err = a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err, "the connection goes on")
}

// Whatever governance lets pass fits into the frame that opens a job.
func TestTheLargestJobFits(t *testing.T) {
	a, b := pair(t, 960, nil)
	texts := func(n, size int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = strings.Repeat("x", size)
		}
		return out
	}
	most := strings.Repeat("x", 256)
	c := mesh.JobCall{
		Job: governance.Job{
			ID: strings.Repeat("i", 36), Capsule: most, Method: most, InputCID: most, Args: texts(64, 256),
			Requirements: governance.Requirements{Capabilities: texts(64, 64), Exclude: texts(64, 256), GeoPrefix: "u33dbu33dbu3"},
		},
		Voucher: make([]byte, mesh.MaxVoucher),
	}
	c.Envelope = governance.Envelope{
		ID: strings.Repeat("i", 36), Type: strings.Repeat("t", 64) + ":" + strings.Repeat("t", 64) + ":v9999", Timestamp: time.Now(),
		Metadata: governance.Metadata{ModuleID: most, UserID: most, DeviceID: most, TraceParent: most, TraceState: most + most,
			AuthToken: strings.Repeat("a", 4096), CreditLedgerID: strings.Repeat("l", 64)},
	}
	var err error
	c.Envelope, err = wire.WithJob(c.Envelope, c.Job)
	require.NoError(t, err)
	require.NoError(t, c.Fits())
	_, err = a.RunJob(t.Context(), b.Self(), c, nil)
	require.NoError(t, err)
}
