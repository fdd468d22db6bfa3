package governance

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit"
)

var testNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	testID    = "01935c2e-7d1a-7c3b-8f00-0123456789ab"
	testTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func testRequest() Request {
	return Request{
		Envelope: Envelope{ID: testID, Type: "job:run:v1", Timestamp: testNow,
			Metadata: Metadata{ModuleID: "console", TraceParent: testTrace, CreditLedgerID: string(testkit.Ledger(1))}},
		Job: Job{ID: testID, Capsule: capsule.SumCID([]byte("wasm")).String(), Method: "sha256", Budget: 500},
	}
}

func testGate(t testing.TB, p Policy) *Gate {
	t.Helper()
	g, err := New(Config{Policy: p, Ledgers: testkit.Balances{testkit.Ledger(1): 1_000}})
	require.NoError(t, err)
	return g
}

func TestAdmitFillsDefaults(t *testing.T) {
	g := testGate(t, Policy{Version: 7})
	req := testRequest()
	req.Job.Budget = 0
	a, err := g.Admit(req, testNow)
	require.NoError(t, err)
	require.True(t, a.Valid())
	require.EqualValues(t, 1_000, a.Job().Budget)
	require.Zero(t, a.Job().Deadline, "a deadline is the caller's wish, or the policy's")
	require.Equal(t, req.Envelope, a.Envelope())
	require.Equal(t, testkit.Ledger(1), a.Ledger())
	d := a.Decision()
	require.True(t, d.Admitted())
	require.EqualValues(t, 7, d.PolicyVersion)
	why, ok := g.Why(testID)
	require.True(t, ok)
	require.Equal(t, d, why)
}

func TestZeroAdmittedIsNone(t *testing.T) {
	var a Admitted
	require.False(t, a.Valid())
	require.Zero(t, a.Job())
	require.Zero(t, a.Envelope())
	require.False(t, a.Decision().Admitted())
	testGate(t, Policy{}).Done(a)
}

func TestRejections(t *testing.T) {
	other := capsule.SumCID([]byte("other"))
	for name, c := range map[string]struct {
		policy Policy
		change func(*Request)
		want   error
		code   string
	}{
		"no ledger":            {change: func(r *Request) { r.Envelope.Metadata.CreditLedgerID = "" }, want: ErrNoLedger, code: "ledger_missing"},
		"ledger without key":   {change: func(r *Request) { r.Envelope.Metadata.CreditLedgerID = "ledger:" }, want: ErrLedgerMalformed, code: "ledger_malformed"},
		"ledger of bad digits": {change: func(r *Request) { r.Envelope.Metadata.CreditLedgerID = "ledger:" + strings.Repeat("0", 52) }, want: ErrLedgerMalformed, code: "ledger_malformed"},
		"ledger of no key":     {change: func(r *Request) { r.Envelope.Metadata.CreditLedgerID = "ledger:" + strings.Repeat("1", 52) }, want: ErrLedgerMalformed, code: "ledger_malformed"},
		"unknown ledger":       {change: func(r *Request) { r.Envelope.Metadata.CreditLedgerID = string(testkit.Ledger(2)) }, want: ErrLedgerUnknown, code: "ledger_unknown"},
		"exhausted":            {change: func(r *Request) { r.Job.Budget = 1_001 }, want: ErrLedgerExhausted, code: "ledger_exhausted"},
		"envelope id":          {change: func(r *Request) { r.Envelope.ID = "x" }, want: ErrIDMalformed, code: "id_malformed"},
		"uuid version 4":       {change: func(r *Request) { r.Envelope.ID = "01935c2e-7d1a-4c3b-8f00-0123456789ab" }, want: ErrIDMalformed, code: "id_malformed"},
		"uuid in braces":       {change: func(r *Request) { r.Envelope.ID = "{01935c2e-7d1a-7c3b-8f00-0123456789ab}" }, want: ErrIDMalformed, code: "id_malformed"},
		"uuid as a urn":        {change: func(r *Request) { r.Envelope.ID = "urn:uuid:01935c2e-7d1a-7c3b-8f00-0123456789ab" }, want: ErrIDMalformed, code: "id_malformed"},
		"uuid without dashes":  {change: func(r *Request) { r.Envelope.ID = "01935c2e7d1a7c3b8f000123456789ab" }, want: ErrIDMalformed, code: "id_malformed"},
		"uuid of Microsoft":    {change: func(r *Request) { r.Envelope.ID = "01935c2e-7d1a-7c3b-cf00-0123456789ab" }, want: ErrIDMalformed, code: "id_malformed"},
		"job id":               {change: func(r *Request) { r.Job.ID = "" }, want: ErrIDMalformed, code: "id_malformed"},
		"type":                 {change: func(r *Request) { r.Envelope.Type = "job:run" }, want: ErrTypeMalformed, code: "type_malformed"},
		"a day ahead":          {change: func(r *Request) { r.Envelope.Timestamp = testNow.Add(24 * time.Hour) }, want: ErrTimestampSkew, code: "timestamp_skew"},
		"a day behind":         {change: func(r *Request) { r.Envelope.Timestamp = testNow.Add(-24 * time.Hour) }, want: ErrTimestampSkew, code: "timestamp_skew"},
		"no timestamp":         {change: func(r *Request) { r.Envelope.Timestamp = time.Time{} }, want: ErrTimestampSkew, code: "timestamp_skew"},
		"trace":                {change: func(r *Request) { r.Envelope.Metadata.TraceParent = "00-1-2-3" }, want: ErrTraceMalformed, code: "trace_malformed"},
		"long field":           {change: func(r *Request) { r.Envelope.Metadata.UserID = strings.Repeat("u", 300) }, want: ErrFieldTooLong, code: "field_too_long"},
		"too many args":        {change: func(r *Request) { r.Job.Args = make([]string, 65) }, want: ErrFieldTooLong, code: "field_too_long"},
		"no capability":        {change: func(r *Request) { r.Job.Requirements.Capabilities = []string{"Two words"} }, want: ErrJobMalformed, code: "job_malformed"},
		"no capsule":           {change: func(r *Request) { r.Job.Capsule = "" }, want: ErrJobMalformed, code: "job_malformed"},
		"past deadline":        {change: func(r *Request) { r.Job.Deadline = testNow }, want: ErrDeadlinePassed, code: "deadline_passed"},
		"required field":       {policy: Policy{Require: []Field{FieldUserID}}, want: ErrMetadataMissing, code: "metadata_missing"},
		"budget":               {policy: Policy{Budget: 499}, want: ErrOverBudget, code: "over_budget"},
		"ledger's budget":      {policy: Policy{Ledgers: []LedgerRule{{Ledger: testkit.Ledger(1), Budget: 400}}}, want: ErrOverBudget, code: "over_budget"},
		"denied ledger":        {policy: Policy{Ledgers: []LedgerRule{{Ledger: testkit.Ledger(1), Deny: true}}}, want: ErrLedgerDenied, code: "ledger_denied"},
		"priority":             {policy: Policy{Priority: 9}, change: func(r *Request) { r.Job.Priority = 10 }, want: ErrOverPriority, code: "over_priority"},
		"deadline":             {change: func(r *Request) { r.Job.Deadline = testNow.Add(2 * time.Hour) }, want: ErrOverDeadline, code: "over_deadline"},
		"capsule not listed":   {policy: Policy{Capsules: []capsule.CID{other}}, want: ErrCapsuleDenied, code: "capsule_denied"},
		"capsule denied":       {policy: Policy{DenyCapsules: []capsule.CID{capsule.SumCID([]byte("wasm"))}}, want: ErrCapsuleDenied, code: "capsule_denied"},
		"capability denied":    {policy: Policy{DenyCapabilities: []string{"gpu"}}, change: func(r *Request) { r.Job.Requirements.Capabilities = []string{"gpu"} }, want: ErrCapabilityDenied, code: "capability_denied"},
		"capability unlisted":  {policy: Policy{Capabilities: []string{"simd"}}, change: func(r *Request) { r.Job.Requirements.Capabilities = []string{"simd", "gpu"} }, want: ErrCapabilityDenied, code: "capability_denied"},
		"residency":            {policy: Policy{Residency: []string{"u33", "u1"}}, change: func(r *Request) { r.Job.Requirements.GeoPrefix = "u3" }, want: ErrResidency, code: "residency"},
		"quiet hours":          {policy: Policy{Quiet: []QuietHours{{From: 690, To: 750, MinPriority: 10}}}, want: ErrQuietHours, code: "quiet_hours"},
	} {
		t.Run(name, func(t *testing.T) {
			c.policy.Version = 3
			g := testGate(t, c.policy)
			req := testRequest()
			if c.change != nil {
				c.change(&req)
			}
			a, err := g.Admit(req, testNow)
			require.ErrorIs(t, err, c.want)
			require.False(t, a.Valid())
			var rej *Rejection
			require.ErrorAs(t, err, &rej)
			require.Equal(t, c.code, rej.Code)
			require.EqualValues(t, 3, rej.PolicyVersion)
			require.Equal(t, strings.HasPrefix(rej.Rule, "policy."), errors.Is(err, ErrPolicy))
			require.Equal(t, strings.HasPrefix(rej.Rule, "dna."), errors.Is(err, ErrDNA))
			if d, ok := g.Why(testID); ok {
				require.Equal(t, c.code, d.Code)
				require.False(t, d.Admitted())
			}
		})
	}
}

// Rejecting a job without a ledger id allocates nothing, whatever else it holds.
func TestNoLedgerAllocatesNothing(t *testing.T) {
	g := testGate(t, Policy{})
	req := testRequest()
	req.Envelope.Metadata.CreditLedgerID = ""
	req.Envelope.Payload.Data = make([]byte, 1<<20)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := g.Admit(req, testNow); err != error(g.rules.Load().missing) {
			t.Error(err)
		}
	}))
	req.Envelope.Metadata.CreditLedgerID = "ledger:nonsense"
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := g.Admit(req, testNow); err == nil {
			t.Error("admitted")
		}
	}))
}

func TestRateAndConcurrency(t *testing.T) {
	g := testGate(t, Policy{Rate: Rate{PerMinute: 60, Burst: 2}, Concurrency: 3, DefaultDeadline: time.Minute})
	req := testRequest()
	var running []Admitted
	for range 2 {
		a, err := g.Admit(req, testNow)
		require.NoError(t, err)
		running = append(running, a)
	}
	_, err := g.Admit(req, testNow)
	require.ErrorIs(t, err, ErrRateExceeded)
	var rej *Rejection
	require.ErrorAs(t, err, &rej)
	require.True(t, rej.Retryable())
	_, err = g.Admit(req, testNow.Add(time.Second))
	require.NoError(t, err)
	_, err = g.Admit(req, testNow.Add(2*time.Second))
	require.ErrorIs(t, err, ErrTooMany)
	g.Done(running[0])
	g.Done(running[0])
	_, err = g.Admit(req, testNow.Add(2*time.Second))
	require.NoError(t, err)
	_, err = g.Admit(req, testNow.Add(3*time.Second))
	require.ErrorIs(t, err, ErrTooMany)
	// Jobs nobody reported the end of stop counting after their deadline.
	req.Envelope.Timestamp = testNow.Add(5 * time.Minute)
	_, err = g.Admit(req, testNow.Add(5*time.Minute))
	require.NoError(t, err)
}

// The policy's figures for one ledger replace those for all, and no ledger uses up another's
// share.
func TestALedgersOwnRateAndConcurrency(t *testing.T) {
	g, err := New(Config{Ledgers: testkit.Balances{testkit.Ledger(1): 1_000, testkit.Ledger(2): 1_000}, Policy: Policy{
		Rate: Rate{PerMinute: 60, Burst: 5}, Concurrency: 5, DefaultDeadline: 10 * time.Second,
		Ledgers: []LedgerRule{{Ledger: testkit.Ledger(1), Rate: Rate{PerMinute: 60, Burst: 1}}, {Ledger: testkit.Ledger(2), Concurrency: 1}}}})
	require.NoError(t, err)
	mine, theirs := testRequest(), testRequest()
	theirs.Envelope.Metadata.CreditLedgerID = string(testkit.Ledger(2))
	a, err := g.Admit(mine, testNow)
	require.NoError(t, err)
	require.Equal(t, testNow.Add(10*time.Second), a.Job().Deadline, "the policy's default")
	_, err = g.Admit(mine, testNow)
	require.ErrorIs(t, err, ErrRateExceeded)
	b, err := g.Admit(theirs, testNow)
	require.NoError(t, err)
	_, err = g.Admit(theirs, testNow)
	require.ErrorIs(t, err, ErrTooMany)
	g.Done(b)
	_, err = g.Admit(theirs, testNow)
	require.NoError(t, err)
}

// The bounds of a timestamp are the policy's, and inclusive.
func TestSkewAndAgeAreThePolicys(t *testing.T) {
	g := testGate(t, Policy{MaxSkew: time.Second, MaxAge: time.Minute})
	for ahead, want := range map[time.Duration]error{time.Second: nil, time.Second + 1: ErrTimestampSkew,
		-time.Minute: nil, -time.Minute - 1: ErrTimestampSkew} {
		req := testRequest()
		req.Envelope.Timestamp = testNow.Add(ahead)
		_, err := g.Admit(req, testNow)
		if want == nil {
			require.NoError(t, err, ahead.String())
			continue
		}
		require.ErrorIs(t, err, want, ahead.String())
	}
}

func BenchmarkRejectNoLedger(b *testing.B) {
	g := testGate(b, Policy{})
	req := testRequest()
	req.Envelope.Metadata.CreditLedgerID = ""
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Admit(req, testNow); err == nil {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	g := testGate(b, Policy{})
	req := testRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Admit(req, testNow); err != nil {
			b.Fatal(err)
		}
	}
}

// The allocation of every job stays in the size class that the garbage collector handles
// fastest.
func TestAdmissionIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(admission{}), uintptr(512))
}
