package placement

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// A node is a candidate once it has answered here, unless it cannot be dialled.
func TestWhoIsACandidate(t *testing.T) {
	r := newFixture(t, nil)
	r.effects.browsers["browser"] = true
	missing := func() []scheduler.Requirement {
		info, known := r.Info("a", r.now)
		require.True(t, known)
		return info.Missing
	}
	p := r.profile("a", 1)
	p.Addrs = []string{"browser"}
	r.Hear(p, r.now)
	require.Equal(t, []scheduler.Requirement{scheduler.NeedDial, scheduler.NeedAnswer}, missing())
	kicks := r.effects.kicks
	r.SetConnected("a", true, r.now)
	require.Empty(t, missing())
	require.Greater(t, r.effects.kicks, kicks, "a job may wait for it")
	require.Equal(t, 1, r.Peers())
	r.SetConnected("a", false, r.now)
	require.Equal(t, []scheduler.Requirement{scheduler.NeedDial}, missing(), "at once")
	require.Zero(t, r.Peers())
	p.Sequence, p.Addrs = 2, []string{"native"}
	r.Hear(p, r.now)
	require.Empty(t, missing())
	r.Measured("a", time.Millisecond)
	r.Done(r.choose(r.job("capsule", nil), 1, false).Placement, mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable), r.now)
	require.Equal(t, []scheduler.Requirement{scheduler.NeedReach}, missing())
	p.Sequence, p.Addrs = 3, []string{"elsewhere"}
	r.Hear(p, r.now)
	require.Empty(t, missing(), "a new address may lead there")
}

// Three pings in a row without an answer, and a node is forgotten; a newer profile brings it
// back, and an old one or an impossible one changes nothing.
func TestNodesComeAndGo(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("a")
	r.Missed("a", r.now)
	r.Missed("a", r.now)
	r.Measured("a", time.Millisecond)
	r.Missed("a", r.now)
	r.Missed("a", r.now)
	require.Equal(t, 1, r.Known(), "an answer starts the count anew")
	p, _ := r.Profile("a")
	r.Missed("a", r.now)
	require.Equal(t, []identity.PeerID{"a"}, r.effects.gone)
	old := p
	old.Sequence = 0
	r.Hear(old, r.now)
	require.Zero(t, r.Known(), "a replay")
	bad := p
	bad.Sequence, bad.Latency = 9, -1
	r.Hear(bad, r.now)
	own := p
	own.Sequence, own.Peer = 9, "home"
	r.Hear(own, r.now)
	require.Zero(t, r.Known())
	p.Sequence = 2
	r.Hear(p, r.now)
	require.Equal(t, 1, r.Known())
	r.pass(time.Hour + 2*time.Second)
	require.Zero(t, r.Known(), "expired")
	require.Equal(t, []identity.PeerID{"a", "a"}, r.effects.gone)
	require.Equal(t, []identity.PeerID{"a", "a"}, r.effects.heard)
}

// A job that cannot be paid for takes no slot, and waits if the money is merely held.
func TestAJobThatCannotBePaidFor(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("a")
	held := &credit.Shortage{Needed: 1000, Held: 1000}
	require.Equal(t, held.Temporary(), true)
	for _, c := range []struct {
		err   error
		waits bool
	}{{errors.New("no"), false}, {held, true}} {
		r.effects.fund = c.err
		got := r.choose(r.job("capsule", nil), 1, false)
		require.ErrorIs(t, got.Err, c.err)
		require.Equal(t, c.waits, errors.Is(got.Err, matchmaker.ErrBusy))
		require.Equal(t, c.waits, got.For != "")
		require.Zero(t, r.Placed())
		require.Zero(t, r.strangersOut)
	}
	r.effects.fund = nil
	require.NoError(t, r.choose(r.job("capsule", nil), 1, false).Err)
}

// Jobs that wait together get the best for all of them.
func TestJobsAreMatchedTogether(t *testing.T) {
	r := newFixture(t, nil)
	for id, caps := range map[identity.PeerID][]string{"plain": {"simd"}, "best": {"gpu", "simd"}} {
		p := r.profile(id, map[identity.PeerID]uint64{"plain": 100, "best": 1}[id])
		p.Capabilities, p.FreeSlots = caps, 1
		r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: p}, r.now)
	}
	var jobs []matchmaker.Waiting
	for _, need := range []string{"simd", "gpu"} {
		j := r.job("capsule", func(j *governance.Job) { j.Requirements.Capabilities = []string{need} })
		jobs = append(jobs, matchmaker.Waiting{Ctx: context.Background(), Job: j, Attempt: 1})
	}
	out := make([]matchmaker.Choice, len(jobs))
	r.Choose(jobs, out, r.now)
	require.Equal(t, identity.PeerID("plain"), out[0].Node)
	require.Equal(t, identity.PeerID("best"), out[1].Node)
	d, decided := jobs[0].Job.(*job).history.Decision()
	require.True(t, decided)
	require.Equal(t, "best for all of 2 jobs that waited together", d.Why)
	require.Len(t, d.Top, 2, "before any slot was set aside")
}

// The directory is asked for each attempt, and while a job waits at growing intervals.
func TestTheDirectoryIsAskedAtGrowingIntervals(t *testing.T) {
	r := newFixture(t, nil)
	j := r.job("capsule", func(j *governance.Job) { j.Requirements.Capabilities = []string{"gpu"} })
	began, asked := r.now, []time.Duration(nil)
	for ; r.now.Sub(began) < 2*time.Minute; r.now = r.now.Add(time.Second) {
		err := r.choose(j, 1, false).Err
		require.ErrorIs(t, err, matchmaker.ErrNobody)
		if errors.Is(err, matchmaker.ErrLook) {
			asked = append(asked, r.now.Sub(began)/time.Second)
		}
	}
	require.Equal(t, []time.Duration{0, 2, 6, 14, 30, 60, 90}, asked)
	require.ErrorIs(t, r.choose(j, 2, false).Err, matchmaker.ErrLook)
}

// model is a Table under random events, and what is out as the test knows it.
type model struct {
	r      *fixture
	places []matchmaker.Placement
}

var modelIDs = []identity.PeerID{"a", "b", "c", "d", "e"}

func (m *model) id(t *rapid.T) identity.PeerID { return rapid.SampledFrom(modelIDs).Draw(t, "node") }

func (m *model) end(t *rapid.T) (out mesh.JobOutcome, err error) {
	code := rapid.SampledFrom([]mesh.JobCode{mesh.JobOK, mesh.JobBusy, mesh.JobRejected, mesh.JobCrashed, mesh.JobDeadline}).Draw(t, "code")
	if out.Code = code; code != mesh.JobOK {
		_, err = said("x", code)
	}
	lost := rapid.SampledFrom([]error{nil, nil, mesh.ErrUnreachable, mesh.ErrProtocol, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrTimeout)}).Draw(t, "error")
	if lost != nil {
		return mesh.JobOutcome{}, lost
	}
	return out, err
}

func (m *model) steps() map[string]func(*rapid.T) {
	r := m.r
	return map[string]func(*rapid.T){
		"hear": func(t *rapid.T) {
			p := r.profile(m.id(t), rapid.Uint64Range(1, 100).Draw(t, "cost"))
			p.FreeSlots, p.Sequence = rapid.Uint32Range(0, 4).Draw(t, "slots"), uint64(r.now.UnixNano())
			p.Expires = r.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "life"))
			r.Hear(p, r.now)
		},
		"connect":  func(t *rapid.T) { r.SetConnected(m.id(t), rapid.Bool().Draw(t, "up"), r.now) },
		"measured": func(t *rapid.T) { r.Measured(m.id(t), time.Millisecond) },
		"missed":   func(t *rapid.T) { r.Missed(m.id(t), r.now) },
		"tick": func(t *rapid.T) {
			r.pass(rapid.SampledFrom([]time.Duration{time.Second, 30 * time.Second}).Draw(t, "time"))
		},
		"probed": func(*rapid.T) {
			for _, p := range r.effects.probes {
				r.ProbeEnded(p)
			}
		},
		"choose": func(t *rapid.T) {
			jobs := make([]matchmaker.Waiting, rapid.IntRange(1, 4).Draw(t, "jobs"))
			for i := range jobs {
				j := r.job(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "capsule"), nil)
				attempt := rapid.IntRange(1, 3).Draw(t, "attempt")
				jobs[i] = matchmaker.Waiting{Ctx: context.Background(), Job: j, Attempt: attempt, Last: attempt == 3}
			}
			out := make([]matchmaker.Choice, len(jobs))
			r.Choose(jobs, out, r.now)
			for _, c := range out {
				if c.Err == nil {
					m.places = append(m.places, c.Placement)
				}
			}
		},
		"reserve": func(t *rapid.T) {
			p := matchmaker.Placement{Node: rapid.SampledFrom(append([]identity.PeerID{"home"}, modelIDs...)).Draw(t, "node")}
			if r.Reserve(&p, "1", r.now) {
				m.places = append(m.places, p)
			}
		},
		"working": func(t *rapid.T) {
			if len(m.places) > 0 {
				p := rapid.SampledFrom(m.places).Draw(t, "place")
				r.Working(SlotOf(p), p.Node, r.now)
			}
		},
		"done": func(t *rapid.T) {
			if len(m.places) == 0 {
				return
			}
			i := rapid.IntRange(0, len(m.places)-1).Draw(t, "place")
			p := m.places[i]
			m.places = append(m.places[:i:i], m.places[i+1:]...)
			if rapid.Bool().Draw(t, "unused") {
				r.GiveBack([]matchmaker.Placement{p}, r.now)
				return
			}
			out, err := m.end(t)
			r.Done(p, out, err, r.now)
			if SlotOf(p).Own {
				r.FreeOwn(r.now)
			}
		},
	}
}

// check compares what the Table counts with what is out.
func (m *model) check(t *rapid.T) {
	r, own, strangers, estimated := m.r, 0, 0, 0
	for _, p := range m.places {
		if SlotOf(p).Own {
			own++
		}
		if SlotOf(p).stranger {
			strangers++
		}
	}
	require.Equal(t, len(m.places), r.Placed())
	require.Equal(t, strangers, r.strangersOut)
	free, serving := r.Own()
	require.Equal(t, own, serving)
	require.Equal(t, r.cfg.Slots, free+serving)
	released := 0
	for _, o := range r.effects.offers {
		require.LessOrEqual(t, o.released, 1)
		released += o.released
	}
	offers := 0
	for _, p := range m.places {
		if SlotOf(p).Offer != nil {
			offers++
		}
	}
	require.Equal(t, len(r.effects.offers), released+offers, "an offer is out exactly as long as its slot")
	for id, n := range r.nodes {
		if n.rtt == 0 {
			estimated++
		}
		_, known := r.index.Node(id)
		require.True(t, known, "the index has dropped %s", id)
	}
	require.Equal(t, estimated, r.estimated)
	require.Equal(t, r.Known()+1, r.Len(), "and this one")
}

// Whatever happens, and in whatever order, nothing is lost and nothing counted twice.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{r: newFixture(t, func(c *Config) {
			c.Slots, c.Reputation = 2, credit.NewReputation(credit.ReputationConfig{})
		})}
		steps := m.steps()
		steps[""] = m.check
		rt.Repeat(steps)
	})
}
