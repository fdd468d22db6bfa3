package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Every limit of the wire is checked before a node is chosen: what is exactly at it runs,
// one more is refused by name, with the limit, and no node's standing changes.
func TestLimitsAreCheckedAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := credit.NewReputation(credit.ReputationConfig{})
		home := w.start("home", func(c *Config) { c.Slots, c.Reputation = -1, r })
		require.NoError(t, home.blobs.Accept(testBlob()))
		workers := []*member{w.start("a", nil), w.start("b", nil), w.start("c", nil)}
		for _, m := range workers {
			w.meet(home, m)
		}
		time.Sleep(2 * time.Second)
		list := func(n, size int) []string {
			out := make([]string, n)
			for i := range out {
				out[i] = fmt.Sprintf("%0*d", size, i)
			}
			return out
		}
		for _, c := range []struct {
			name  string
			most  int
			set   func(s *Submission, n int)
			code  string
			noRun bool // at the limit no node here does it, or it is too much for a test
			says  string
		}{
			{"input", mesh.MaxTransfer, func(s *Submission, n int) {
				s.Input = make([]byte, n)
				s.Job.InputLength, s.Job.InputCID = uint64(n), ""
			}, "too_big", true, "input of 268435457 bytes, at most 268435456"},
			{"envelope", mesh.MaxEnvelope, func(s *Submission, n int) {
				m := s.Envelope.Metadata
				s.Envelope.Payload.Data = make([]byte, n-len(s.Envelope.ID)-len(s.Envelope.Type)-len(m.CreditLedgerID)-55) // the trace's parent
			}, "too_big", false, "at most 1040384"},
			{"voucher", mesh.MaxVoucher, func(s *Submission, n int) { s.Voucher = make([]byte, n) }, "too_big", false, "voucher of 2049 bytes, at most 2048"},
			{"method", 256, func(s *Submission, n int) { s.Job.Method = strings.Repeat("m", n) }, "field_too_long", false, "method of 257 bytes, at most 256"},
			{"capsule", 256, func(s *Submission, n int) { s.Job.Capsule = strings.Repeat("c", n) }, "field_too_long", true, "capsule of 257 bytes, at most 256"},
			{"input cid", 256, func(s *Submission, n int) { s.Job.InputCID = strings.Repeat("c", n) }, "field_too_long", true, "inputCid of 257 bytes, at most 256"},
			{"arguments", 64, func(s *Submission, n int) { s.Job.Args = make([]string, n) }, "field_too_long", false, "65 args, at most 64"},
			{"their length", 16 << 10, func(s *Submission, n int) { s.Job.Args = []string{"0s", strings.Repeat("a", n-2)} }, "field_too_long", false, "args of 16385 bytes, at most 16384"},
			{"capabilities", 64, func(s *Submission, n int) { s.Job.Requirements.Capabilities = list(n, 4) }, "field_too_long", true, "65 capabilities, at most 64"},
			{"a capability", 64, func(s *Submission, n int) { s.Job.Requirements.Capabilities = list(1, n) }, "job_malformed", true, "at most 64"},
			{"exclusions", 64, func(s *Submission, n int) { s.Job.Requirements.Exclude = list(n, 4) }, "field_too_long", false, "65 exclude, at most 64"},
			{"an exclusion", 256, func(s *Submission, n int) { s.Job.Requirements.Exclude = list(1, n) }, "field_too_long", false, "exclude of 257 bytes, at most 256"},
			{"place", 12, func(s *Submission, n int) { s.Job.Requirements.GeoPrefix = strings.Repeat("u", n) }, "field_too_long", true, "geoPrefix of 13 bytes, at most 12"},
			{"module id", 256, func(s *Submission, n int) { s.Envelope.Metadata.ModuleID = strings.Repeat("i", n) }, "field_too_long", false, "moduleId of 257 bytes, at most 256"},
			{"user id", 256, func(s *Submission, n int) { s.Envelope.Metadata.UserID = strings.Repeat("i", n) }, "field_too_long", false, "userId of 257 bytes, at most 256"},
			{"device id", 256, func(s *Submission, n int) { s.Envelope.Metadata.DeviceID = strings.Repeat("i", n) }, "field_too_long", false, "deviceId of 257 bytes, at most 256"},
			{"auth token", 4096, func(s *Submission, n int) { s.Envelope.Metadata.AuthToken = strings.Repeat("i", n) }, "field_too_long", false, "authToken of 4097 bytes, at most 4096"},
			{"trace state", 512, func(s *Submission, n int) { s.Envelope.Metadata.TraceState = strings.Repeat("i", n) }, "field_too_long", false, "traceState of 513 bytes, at most 512"},
		} {
			ran := func() (n int64) {
				for _, m := range workers {
					n += m.capsules.runs.Load()
				}
				return n
			}
			before := ran()
			if !c.noRun {
				_, err := home.Dispatch(t.Context(), submission("x", func(s *Submission) { c.set(s, c.most) }))
				require.NoError(t, err, "%s: exactly at its limit", c.name)
				require.Equal(t, before+1, ran())
			}
			before = ran()
			out, err := home.Dispatch(t.Context(), submission("x", func(s *Submission) {
				s.Job.Deadline = time.Now().Add(5 * time.Second)
				c.set(s, c.most+1)
			}))
			require.Error(t, err, c.name)
			require.Equal(t, c.code, reasonOf(err), "%s: %v", c.name, err)
			require.Contains(t, err.Error(), c.says, c.name)
			require.Equal(t, mesh.JobRejected, out.Code, c.name)
			require.Empty(t, out.Attempts, c.name)
			require.Zero(t, out.Total, c.name)
			require.Equal(t, before, ran(), c.name)
		}
		require.Empty(t, missing(t, home.Kernel, scheduler.NeedReach))
		for _, m := range workers {
			require.Zero(t, failuresOf(t, home.Kernel, m.Self()))
			require.GreaterOrEqual(t, r.Factor(m.Self(), time.Now()), 1.0)
		}
	})
}

// What this side could not send, wherever that shows, is final and held against nobody.
func TestOwnErrorsAreNobodysFault(t *testing.T) {
	for _, own := range []error{mesh.ErrTooBig, mesh.ErrEncode} {
		synctest.Test(t, func(t *testing.T) {
			m := newScriptedMesh(3)
			m.script = func(context.Context, identity.PeerID, mesh.JobCall, func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
				return mesh.JobOutcome{}, fmt.Errorf("%w: %w: something", mesh.ErrUnsent, own), true
			}
			r := credit.NewReputation(credit.ReputationConfig{})
			k := startOn(t, m, func(c *Config) { c.Slots, c.Reputation = -1, r })
			for range 5 {
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				require.ErrorIs(t, err, own)
				require.NotErrorIs(t, err, matchmaker.ErrAttempts)
				require.Len(t, out.Attempts, 1)
			}
			require.Empty(t, missing(t, k, scheduler.NeedReach))
			for _, p := range m.peers {
				require.Zero(t, failuresOf(t, k, p.Profile.Peer))
				require.Equal(t, 1.0, r.Factor(p.Profile.Peer, time.Now()))
			}
		})
	}
}
