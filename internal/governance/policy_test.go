package governance

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/testkit"
)

// optional draws nil or a list of 1 to 3, which the text form can express.
func optional[T any](t *rapid.T, name string, g *rapid.Generator[T]) []T {
	if !rapid.Bool().Draw(t, name) {
		return nil
	}
	return rapid.SliceOfN(g, 1, 3).Draw(t, name)
}

func drawPolicy(t *rapid.T) Policy {
	peer := rapid.Custom(func(t *rapid.T) identity.PeerID { return testkit.Peer(rapid.Byte().Draw(t, "peer")) })
	cid := rapid.Custom(func(t *rapid.T) capsule.CID { return capsule.SumCID(rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "cid")) })
	name := rapid.StringMatching(`[a-z0-9._-]{1,12}`)
	span := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "span"))
	})
	figure := rapid.Uint64Range(0, 1<<60)
	rate := rapid.Custom(func(t *rapid.T) Rate {
		return Rate{rapid.Uint32().Draw(t, "minute"), rapid.Uint32().Draw(t, "burst")}
	})
	p := Policy{
		Version: rapid.Uint64().Draw(t, "version"), Name: rapid.String().Draw(t, "name"),
		Require: optional(t, "require", rapid.Custom(func(t *rapid.T) Field { return Field(rapid.IntRange(0, int(fieldEnd)-1).Draw(t, "field")) })),
		MaxSkew: span.Draw(t, "skew"), MaxAge: span.Draw(t, "age"),
		Publishers: optional(t, "publishers", peer), Capsules: optional(t, "capsules", cid), DenyCapsules: optional(t, "deny", cid),
		Budget: figure.Draw(t, "budget"), Priority: rapid.Byte().Draw(t, "priority"),
		MaxDeadline: span.Draw(t, "max deadline"), Rate: rate.Draw(t, "rate"), Concurrency: rapid.IntRange(0, 1<<31-1).Draw(t, "concurrency"),
		Ledgers: optional(t, "ledgers", rapid.Custom(func(t *rapid.T) LedgerRule {
			return LedgerRule{testkit.Ledger(rapid.Byte().Draw(t, "ledger")), rapid.Bool().Draw(t, "deny"), figure.Draw(t, "budget"),
				rate.Draw(t, "rate"), rapid.IntRange(0, 9).Draw(t, "concurrency")}
		})),
		Capabilities: optional(t, "capabilities", name), DenyCapabilities: optional(t, "deny capabilities", name),
		MaxMemory: rapid.Uint64().Draw(t, "memory"), MaxRun: span.Draw(t, "run"),
		Residency: optional(t, "residency", rapid.StringMatching(`[0-9b-hjkmnp-z]{1,12}`)),
		Lifecycle: optional(t, "lifecycle", rapid.Custom(func(t *rapid.T) LifecycleRule {
			l := LifecycleRule{Commands: optional(t, "commands", rapid.Custom(func(t *rapid.T) capsule.CommandType {
				return capsule.CommandType(rapid.IntRange(0, int(capsule.Feed)).Draw(t, "command"))
			}))}
			if rapid.Bool().Draw(t, "somebody") {
				l.Peer = peer.Draw(t, "peer")
			}
			return l
		})),
		Quiet: optional(t, "quiet", rapid.Custom(func(t *rapid.T) QuietHours {
			return QuietHours{rapid.Uint16Range(0, 1439).Draw(t, "from"), rapid.Uint16Range(0, 1439).Draw(t, "to"),
				time.Duration(rapid.IntRange(-840, 840).Draw(t, "offset")) * time.Minute, rapid.Byte().Draw(t, "below")}
		})),
	}
	if p.DefaultDeadline = span.Draw(t, "default deadline"); p.MaxDeadline > 0 {
		p.DefaultDeadline = min(p.DefaultDeadline, p.MaxDeadline)
	}
	if rapid.Bool().Draw(t, "issued") {
		p.Issued = time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	}
	return p
}

func TestPolicyTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Custom(drawPolicy).Filter(func(p Policy) bool { return p.Check() == nil }).Draw(t, "policy")
		back, err := ParsePolicy(p.String())
		require.NoError(t, err, p.String())
		require.Equal(t, p, back)
	})
}

// A field of the policy that no rule reads and writes fails here.
func TestEveryFieldHasARule(t *testing.T) {
	full := rapid.Custom(drawPolicy)
	fields := reflect.TypeFor[Policy]()
	for i := range fields.NumField() {
		name, found := fields.Field(i).Name, false
		for seed := 0; seed < 100 && !found; seed++ {
			drawn := reflect.ValueOf(full.Example(seed)).Field(i)
			var p Policy
			reflect.ValueOf(&p).Elem().Field(i).Set(drawn)
			if found = !drawn.IsZero() && p.Check() == nil; !found {
				continue
			}
			require.NotEqual(t, Policy{}.String(), p.String(), name)
			back, err := ParsePolicy(p.String())
			require.NoError(t, err)
			require.Equal(t, p, back, name)
		}
		require.True(t, found, "drawPolicy makes no %s", name)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("policy \"x\" # y\nversion 3\nquiet 22:00-06:00 offset 1h below 10\nbudget 1.5\nrate 60 burst 5\nmax-memory 64MiB\n")
	f.Add("lifecycle anybody pause resume\ndeny capability gpu\nresidency u33 u1\nrequire userId\nledger " + string(testkit.Ledger(1)) + " deny")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			require.ErrorIs(t, err, ErrPolicyInvalid)
			return
		}
		back, err := ParsePolicy(p.String())
		require.NoError(t, err)
		require.Equal(t, p.String(), back.String())
	})
}

func TestPolicyTextErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"version 1\nfoo bar":     `line 2: unknown rule "foo"`,
		"version x":              `line 1: "x" is no number`,
		"version 1\n\nversion 2": `line 3: "version" comes twice`,
		"budget 1.1234567":       "line 1",
		"budget -1":              "line 1",
		"max-age soon":           "line 1",
		"max-age -1s":            "max age is negative",
		"publisher somebody":     "publisher",
		"ledger " + string(testkit.Ledger(1)) + " dny": "line 1",
		"quiet 25:00-06:00":                            "line 1",
		"lifecycle anybody explode":                    `"explode" is no lifecycle command`,
		"capsule bafy":                                 "line 1",
		"policy \"open":                                "quotes",
		"max-memory 99999999999999999GiB":              "line 1",
		"priority 256":                                 "line 1",
	} {
		_, err := ParsePolicy(text)
		require.ErrorIs(t, err, ErrPolicyInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

// textCodec signs the text form.
type textCodec struct{}

func (textCodec) SealPolicy(p Policy, k ed25519.PrivateKey) ([]byte, error) {
	text := []byte(p.String())
	return append(append(append([]byte(nil), k.Public().(ed25519.PublicKey)...), ed25519.Sign(k, text)...), text...), nil
}

func (textCodec) OpenPolicy(b []byte) (Policy, identity.PeerID, error) {
	if len(b) < 96 || !ed25519.Verify(b[:32], b[96:], b[32:96]) {
		return Policy{}, "", errors.New("signature does not verify")
	}
	p, err := ParsePolicy(string(b[96:]))
	return p, identity.PeerIDOf(b[:32]), err
}

func TestReplaceSigned(t *testing.T) {
	g := testGate(t, Policy{Version: 1})
	key := testkit.Key(5)
	sign := func(text string) []byte {
		raw, err := SignPolicy(text, textCodec{}, key)
		require.NoError(t, err)
		return raw
	}
	good := sign("version 2\nbudget 0.0001")
	signers := []identity.PeerID{testkit.Peer(5)}
	require.ErrorIs(t, g.ReplaceSigned(good, textCodec{}, []identity.PeerID{testkit.Peer(6)}), ErrPolicySigner)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		require.Error(t, g.ReplaceSigned(bad, textCodec{}, signers))
	}
	require.EqualValues(t, 1, g.Policy().Version)
	_, err := g.Admit(testRequest(), testNow)
	require.NoError(t, err)
	require.NoError(t, g.ReplaceSigned(good, textCodec{}, signers))
	require.ErrorIs(t, g.ReplaceSigned(good, textCodec{}, signers), ErrPolicyStale)
	require.ErrorIs(t, g.ReplaceSigned(sign("version 1"), textCodec{}, signers), ErrPolicyStale)
	_, err = g.Admit(testRequest(), testNow)
	require.ErrorIs(t, err, ErrOverBudget)
	var out strings.Builder
	_, signer, err := ShowSigned(&out, good, textCodec{})
	require.NoError(t, err)
	require.Equal(t, testkit.Peer(5), signer)
	require.Contains(t, out.String(), "budget 0.0001\n")
}

// Policies change while jobs come in. Each decision follows entirely the policy that it names.
// Odd versions allow priority only, even ones capsules only.
func TestReloadIsAtomic(t *testing.T) {
	other := capsule.SumCID([]byte("other"))
	g := testGate(t, Policy{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				req := testRequest()
				req.Job.Priority = 9
				a, err := g.Admit(req, testNow)
				var rej *Rejection
				switch {
				case err == nil && a.Decision().PolicyVersion == 0:
				case errors.As(err, &rej) && rej.PolicyVersion%2 == 1 && rej.Code == "over_priority":
				case errors.As(err, &rej) && rej.PolicyVersion%2 == 0 && rej.Code == "capsule_denied":
				default:
					t.Errorf("decided %v %v", a.Decision(), err)
					return
				}
			}
		})
	}
	for v := uint64(1); v < 400; v++ {
		p := Policy{Version: v, Priority: 8}
		if v%2 == 0 {
			p = Policy{Version: v, Capsules: []capsule.CID{other}}
		}
		require.NoError(t, g.Replace(p))
		require.ErrorIs(t, g.Replace(Policy{Version: v + 1, MaxAge: -1}), ErrPolicyInvalid)
	}
	close(stop)
	wg.Wait()
}

func TestDryRun(t *testing.T) {
	g := testGate(t, Policy{Version: 1, Budget: 600})
	req := testRequest()
	id := func(n int) string { return fmt.Sprintf("01935c2e-7d1a-7c3b-8f00-%012d", n) }
	for n, budget := range []uint64{100, 500, 700} {
		req.Job.ID, req.Job.Budget = id(n), budget
		_, err := g.Admit(req, testNow)
		require.Equal(t, budget > 600, err != nil)
	}
	req.Job.ID, req.Envelope.Metadata.CreditLedgerID = id(3), ""
	_, err := g.Admit(req, testNow)
	require.Error(t, err)
	changes, looked, err := g.DryRun(Policy{Version: 2, Budget: 400})
	require.NoError(t, err)
	require.Equal(t, 3, looked)
	require.Len(t, changes, 1)
	require.Equal(t, id(1), changes[0].JobID)
	require.True(t, changes[0].Before.Admitted())
	require.Equal(t, "over_budget", changes[0].After.Code)
	changes, _, err = g.DryRun(Policy{Version: 2})
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Equal(t, id(2), changes[0].JobID)
	require.Equal(t, Undecided, changes[0].After.Rule)
	require.NotEmpty(t, changes[0].Before.Short())
	_, _, err = g.DryRun(Policy{MaxAge: -1})
	require.ErrorIs(t, err, ErrPolicyInvalid)
	require.Len(t, g.Decisions(2), 2)
	require.Equal(t, "ledger_missing", g.Decisions(1)[0].Code)
	require.EqualValues(t, 1, g.Policy().Version, "a dry run changes nothing")
}

// The capsule that was to run is part of a decision: a rejection of its publisher is reported,
// and a dry run replays the rules about capsules.
func TestStartIsRemembered(t *testing.T) {
	g := testGate(t, Policy{Version: 1, Publishers: []identity.PeerID{testkit.Peer(7)}})
	m := capsule.Manifest{CID: capsule.SumCID([]byte("wasm")), MemoryLimit: 1 << 20}
	id := func(n int) string { return fmt.Sprintf("01935c2e-7d1a-7c3b-8f00-%012d", n) }
	for n, publisher := range []byte{7, 8} {
		req := testRequest()
		req.Job.ID = id(n)
		a, err := g.Admit(req, testNow)
		require.NoError(t, err)
		if err = g.Start(a, m, testkit.Peer(publisher)); n == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrPublisherDenied)
		}
	}
	d, ok := g.Why(id(0))
	require.True(t, ok)
	require.True(t, d.Admitted())
	d, ok = g.Why(id(1))
	require.True(t, ok)
	require.Equal(t, "publisher_denied", d.Code)

	changes, looked, err := g.DryRun(Policy{Version: 2, Publishers: []identity.PeerID{testkit.Peer(8)}})
	require.NoError(t, err)
	require.Equal(t, 2, looked)
	require.Len(t, changes, 2)
	require.Equal(t, Undecided, changes[0].After.Rule)
	require.Equal(t, "publisher_denied", changes[1].After.Code)
	changes, _, err = g.DryRun(Policy{Version: 2, MaxMemory: 1 << 10})
	require.NoError(t, err)
	require.Equal(t, "over_limit", changes[1].After.Code)
}

// A flood of rejections before parsing pushes no decision out. Another node's job with the same
// id does not hide this node's own.
func TestHistoryUnderAFlood(t *testing.T) {
	g, err := New(Config{Ledgers: testkit.Balances{testkit.Ledger(1): 1_000}, History: 8})
	require.NoError(t, err)
	own := testRequest()
	_, err = g.Admit(own, testNow)
	require.NoError(t, err)
	for range 100 {
		req := testRequest()
		req.From, req.Envelope.Metadata.CreditLedgerID = testkit.Peer(9), ""
		_, err := g.Admit(req, testNow)
		require.Error(t, err)
	}
	d, ok := g.Why(testID)
	require.True(t, ok)
	require.True(t, d.Admitted())
	require.Empty(t, d.From)
	all := g.Decisions(100)
	require.Len(t, all, 9)
	require.Equal(t, testkit.Peer(9), all[0].From, "who sent it is known")
	require.True(t, all[8].Admitted(), "newest first, of both kinds")
	_, looked, err := g.DryRun(Policy{Version: 1})
	require.NoError(t, err)
	require.Equal(t, 1, looked)
}

func TestCommandsAndCapsules(t *testing.T) {
	g := testGate(t, Policy{Version: 1, Publishers: []identity.PeerID{testkit.Peer(7)}, DenyCapabilities: []string{"gpu"},
		MaxMemory: 1 << 20, MaxRun: time.Second,
		Lifecycle: []LifecycleRule{{Commands: []capsule.CommandType{capsule.Pause}}, {Peer: testkit.Peer(2)}}})
	require.NoError(t, g.Command("", testkit.Peer(1), capsule.Kill))
	require.NoError(t, g.Command(testkit.Peer(1), testkit.Peer(1), capsule.Kill))
	require.NoError(t, g.Command(testkit.Peer(2), testkit.Peer(1), capsule.Kill))
	require.NoError(t, g.Command(testkit.Peer(3), testkit.Peer(1), capsule.Pause))
	require.ErrorIs(t, g.Command(testkit.Peer(3), testkit.Peer(1), capsule.Kill), ErrCommandDenied)
	require.ErrorIs(t, g.Command(testkit.Peer(3), "", capsule.Spawn), ErrCommandDenied)
	m := capsule.Manifest{CID: capsule.SumCID([]byte("x")), MemoryLimit: 1 << 20, TimeLimit: time.Second}
	require.NoError(t, g.Capsule(m, testkit.Peer(7)))
	require.ErrorIs(t, g.Capsule(m, testkit.Peer(8)), ErrPublisherDenied)
	m.MemoryLimit++
	require.ErrorIs(t, g.Capsule(m, testkit.Peer(7)), ErrOverLimit)
	m.MemoryLimit, m.TimeLimit = 0, time.Minute
	require.ErrorIs(t, g.Capsule(m, testkit.Peer(7)), ErrOverLimit)
	m.TimeLimit, m.Capabilities = 0, []string{"gpu"}
	require.ErrorIs(t, g.Capsule(m, testkit.Peer(7)), ErrCapabilityDenied)
	env := testRequest().Envelope
	env.Metadata.CreditLedgerID = ""
	require.NoError(t, g.Message(env, testNow))
	env.Type = "x"
	require.ErrorIs(t, g.Message(env, testNow), ErrDNA)
}

func TestQuietHours(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 1, 1, h, m, 0, 0, time.UTC) }
	q := QuietHours{From: 22 * 60, To: 6 * 60, Offset: time.Hour}
	require.False(t, q.covers(at(20, 59)))
	require.True(t, q.covers(at(21, 0)))
	require.True(t, q.covers(at(4, 59)))
	require.False(t, q.covers(at(5, 0)))
	require.False(t, QuietHours{From: 60, To: 60}.covers(at(1, 0)))
}

func FuzzAdmit(f *testing.F) {
	r := testRequest()
	f.Add(r.Envelope.ID, r.Envelope.Type, r.Envelope.Metadata.CreditLedgerID, r.Envelope.Metadata.TraceParent, r.Job.ID, r.Job.Capsule, int64(0), uint64(5))
	g, err := New(Config{Ledgers: testkit.Balances{testkit.Ledger(1): 1_000}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id, typ, ledger, trace, job, cid string, skew int64, budget uint64) {
		req := testRequest()
		req.Envelope.ID, req.Envelope.Type, req.Envelope.Metadata.CreditLedgerID = id, typ, ledger
		req.Envelope.Metadata.TraceParent, req.Job.ID, req.Job.Capsule, req.Job.Budget = trace, job, cid, budget
		req.Envelope.Timestamp = testNow.Add(time.Duration(skew))
		a, err := g.Admit(req, testNow)
		if (err == nil) != a.Valid() {
			t.Fatal("an error and an admission")
		}
		if err == nil {
			require.Equal(t, testkit.Ledger(1), a.Ledger())
			require.LessOrEqual(t, a.Job().Budget, uint64(1_000))
			require.NotZero(t, a.Job().Budget)
		}
	})
}

// The example of docs/policy.md is a policy, apart from the lines whose ids are shortened.
func TestDocumentedPolicyParses(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if errors.Is(err, os.ErrNotExist) && runtime.GOOS == "js" {
		t.Log("no file system here")
		return
	}
	require.NoError(t, err)
	_, block, _ := strings.Cut(string(page), "```\n")
	block, _, found := strings.Cut(block, "```")
	require.True(t, found)
	var text strings.Builder
	for line := range strings.Lines(block) {
		if !strings.Contains(line, "…") {
			text.WriteString(line)
		}
	}
	p, err := ParsePolicy(text.String())
	require.NoError(t, err)
	require.Equal(t, "evenings", p.Name)
	require.Len(t, p.Quiet, 1)
}
