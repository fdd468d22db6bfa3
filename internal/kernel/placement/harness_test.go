package placement

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// recordedEffects notes what a Table has done. Every node can be dialled unless it says otherwise.
type recordedEffects struct {
	kicks    int
	waits    []time.Duration // that a Kick is to come after
	stopped  int             // of them
	measure  []identity.PeerID
	probes   []*Probe
	noProbes bool // none can be made
	browsers map[string]bool
	fund     error
	offers   []*offer
	placed   []identity.PeerID
	own      int
	heard    []identity.PeerID
	gone     []identity.PeerID
}

// offer is money set aside until it is released.
type offer struct{ released int }

func (o *offer) Release() { o.released++ }

func (o *offer) Until(_ governance.Job, now time.Time) time.Time { return now.Add(time.Minute) }

func (e *recordedEffects) Kick() { e.kicks++ }

func (e *recordedEffects) KickAfter(d time.Duration) func() {
	e.waits = append(e.waits, d)
	return func() { e.stopped++ }
}

func (e *recordedEffects) Measure(id identity.PeerID) { e.measure = append(e.measure, id) }

func (e *recordedEffects) Probe(p *Probe) bool {
	e.probes = append(e.probes, p)
	return !e.noProbes
}

func (e *recordedEffects) CanDial(addrs []string) bool {
	return len(addrs) == 0 || !e.browsers[addrs[0]]
}

func (e *recordedEffects) Fund(Job, uint64, time.Time) (Offer, error) {
	if e.fund != nil {
		return nil, e.fund
	}
	o := &offer{}
	e.offers = append(e.offers, o)
	return o, nil
}

func (e *recordedEffects) Placed(_ Job, node identity.PeerID, _ float64, _ int, _ time.Time) {
	e.placed = append(e.placed, node)
}

func (e *recordedEffects) OwnChanged() { e.own++ }

func (e *recordedEffects) NodeHeard(p mesh.Profile, _ bool, _ time.Time) {
	e.heard = append(e.heard, p.Peer)
}

func (e *recordedEffects) NodeGone(id identity.PeerID, _ time.Time) { e.gone = append(e.gone, id) }

// fixture is a Table in a test, its effects, and the time there.
type fixture struct {
	*Table
	t       *testing.T
	effects *recordedEffects
	gate    *governance.Gate
	now     time.Time
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	r := &fixture{t: t, effects: &recordedEffects{browsers: make(map[string]bool)}, now: time.Now()}
	c := Config{
		Self: "home", CreditCost: 1, Scorer: scheduler.Formula{}, DefaultLatency: 100 * time.Millisecond, MaxNodes: 1 << 10, Explain: 32,
		Now: func() time.Time { return r.now }, Effects: r.effects,
	}
	if change != nil {
		change(&c)
	}
	var err error
	r.gate, err = governance.New(governance.Config{Ledgers: testkit.Balances{ledger: 1 << 40}})
	require.NoError(t, err)
	r.Table, err = New(c, r.now)
	require.NoError(t, err)
	return r
}

// pass lets time pass, in ticks of a second.
func (r *fixture) pass(d time.Duration) {
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.now.Add(min(time.Second, end.Sub(r.now)))
		r.Tick(r.now)
	}
}

// profile is a node with four free slots.
func (r *fixture) profile(id identity.PeerID, cost uint64) mesh.Profile {
	return mesh.Profile{Peer: id, CreditCost: cost, FreeSlots: 4, Expires: r.now.Add(time.Hour), Sequence: 1}
}

// meet has nodes connected and measured, 1 ms away; the first is the cheapest.
func (r *fixture) meet(ids ...identity.PeerID) {
	for i, id := range ids {
		r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: r.profile(id, uint64(i+1)*10)}, r.now)
	}
}

// choose chooses for one attempt at j.
func (r *fixture) choose(j *job, attempt int, last bool, failed ...identity.PeerID) matchmaker.Choice {
	var out [1]matchmaker.Choice
	r.Choose([]matchmaker.Waiting{{Ctx: context.Background(), Job: j, Attempt: attempt, Last: last, Exclude: failed}}, out[:], r.now)
	return out[0]
}

// run places a new job of a capsule, which has to be possible, and has it end so after took.
func (r *fixture) run(capsule string, took time.Duration, out mesh.JobOutcome, err error) identity.PeerID {
	r.t.Helper()
	c := r.choose(r.job(capsule, nil), 1, false)
	require.NoError(r.t, c.Err)
	r.now = r.now.Add(took)
	r.Done(c.Placement, out, err, r.now)
	return c.Node
}

// said is how the matchmaker tells an outcome that is not JobOK.
func said(node identity.PeerID, code mesh.JobCode) (mesh.JobOutcome, error) {
	out := mesh.JobOutcome{Node: node, Code: code}
	return out, matchmaker.NodeError(node, out)
}

func (r *fixture) failures(id identity.PeerID) float64 {
	r.t.Helper()
	info, known := r.Info(id, r.now)
	require.True(r.t, known)
	return info.Failures
}

// job is a Job that carries nothing else.
type job struct {
	admitted governance.Admitted
	history  History
}

func (j *job) Admitted() governance.Admitted { return j.admitted }
func (j *job) History() *History             { return &j.history }

var ledger = testkit.Ledger(0)

// job passes a job through a real gate: there is no other way to get one.
func (r *fixture) job(capsule string, change func(*governance.Job)) *job {
	r.t.Helper()
	asked := governance.Job{ID: testkit.UUID(), Capsule: capsule}
	if change != nil {
		change(&asked)
	}
	a, err := r.gate.Admit(governance.Request{
		Envelope: governance.Envelope{
			ID: testkit.UUID(), Type: "inos:dispatch:v1", Timestamp: r.now,
			Metadata: governance.Metadata{CreditLedgerID: string(ledger)},
		},
		Job: asked,
	}, r.now)
	require.NoError(r.t, err)
	return &job{admitted: a}
}
