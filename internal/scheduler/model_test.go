package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
)

// model is an index and, beside it, the plain facts it should know.
type model struct {
	x      *Index
	nodes  map[identity.PeerID]Node
	leases []modelLease
	now    time.Time
	seq    uint64
	rng    *rand.Rand
	coarse bool // figures that tie often
	size   int
	names  int  // how many capabilities there are: with few the trees are deep
	slow   bool // time passes a thousand times as slowly
}

type modelLease struct {
	id    identity.PeerID
	lease Lease
}

func newModel(seed uint64, coarse bool, size int) *model {
	return &model{
		x: New(Config{}), nodes: map[identity.PeerID]Node{}, now: epoch0,
		rng: rand.New(rand.NewPCG(seed, 7)), coarse: coarse, size: size, names: len(capabilityNames),
	}
}

func (m *model) anyID() identity.PeerID {
	return identity.PeerID(fmt.Sprintf("12D3KooWnode%06d", m.rng.IntN(m.size)))
}

// slots takes over the slots of id and what runs there, whose arithmetic
// lease_test.go and wait_test.go check.
func (m *model) slots(id identity.PeerID) {
	if n, ok := m.nodes[id]; ok {
		have, _ := m.x.Node(id)
		n.FreeSlots, n.Slots, n.InFlight, n.Service = have.FreeSlots, have.Slots, have.InFlight, have.Service
		n.Failures = have.Failures
		m.nodes[id] = n
	}
}

// step changes index and facts alike.
func (m *model) step(t require.TestingT) {
	switch k := m.rng.IntN(100); {
	case k < 45: // a new report, of a new or a known node
		n := randomNode(m.rng, m.rng.IntN(m.size), m.coarse, m.now)
		n.Capabilities = slices.DeleteFunc(n.Capabilities, func(c string) bool {
			return slices.Index(capabilityNames, c) >= m.names
		})
		m.seq++
		n.Sequence = m.seq
		require.NoError(t, m.x.Upsert(n, m.now))
		m.nodes[n.ID] = n
		m.slots(n.ID)
	case k < 48: // a connection comes or goes
		id, undialable, unheard := m.anyID(), m.rng.IntN(2) == 0, m.rng.IntN(2) == 0
		m.x.SetUndialable(id, undialable)
		m.x.SetUnheard(id, unheard)
		if n, known := m.nodes[id]; known {
			n.Undialable, n.Unheard = undialable, unheard
			m.nodes[id] = n
		}
	case k < 60: // a measurement
		id := m.anyID()
		d := time.Duration(m.rng.Int64N(int64(time.Second)))
		if m.coarse {
			d = time.Duration(1+m.rng.IntN(3)) * time.Millisecond
		}
		n, known := m.nodes[id]
		err := m.x.SetLatency(id, d)
		require.Equal(t, known, err == nil)
		if known {
			n.Latency = d
			m.nodes[id] = n
		}
	case k < 64: // the same report again, which changes nothing
		if n, known := m.nodes[m.anyID()]; known && n.Expires.After(m.now) {
			before, _ := m.x.Node(n.ID)
			require.NoError(t, m.x.Upsert(n, m.now))
			after, _ := m.x.Node(n.ID)
			require.Equal(t, before, after)
		}
	case k < 68: // a replay, which changes nothing
		if n, known := m.nodes[m.anyID()]; known {
			n.Sequence--
			n.Latency, n.Expires = 0, m.now.Add(time.Hour)
			require.ErrorIs(t, m.x.Upsert(n, m.now), ErrReplayed)
		}
	case k < 76: // a removal
		id := m.anyID()
		_, known := m.nodes[id]
		require.Equal(t, known, m.x.Remove(id))
		delete(m.nodes, id)
	case k < 87: // a slot is taken
		id := m.anyID()
		if l, ok := m.x.Acquire(id, m.now); ok {
			m.leases = append(m.leases, modelLease{id, l})
			m.slots(id)
		}
	case k < 90: // a job has run
		id := m.anyID()
		m.x.Observe(id, time.Duration(m.rng.Int64N(int64(time.Second))))
		m.slots(id)
	case k < 91: // a job has failed, or could not be sent
		id := m.anyID()
		if m.rng.IntN(2) == 0 {
			m.x.Unreachable(id, m.now)
		} else {
			m.x.RecordFailure(id, m.now)
		}
		m.slots(id)
	case k < 92: // a job has gone well, or the way is open again
		id := m.anyID()
		switch m.rng.IntN(3) {
		case 0:
			m.x.Reached(id)
		case 1:
			m.x.MayBeReached(id)
		default:
			m.x.RecordSuccess(id, m.now)
			if n, known := m.nodes[id]; known {
				n.Stranger = 0
				m.nodes[id] = n
			}
		}
		m.slots(id)
	case k < 97: // a slot is returned
		if len(m.leases) > 0 {
			i := m.rng.IntN(len(m.leases))
			l := m.leases[i]
			m.leases = append(m.leases[:i], m.leases[i+1:]...)
			m.x.Release(l.lease)
			m.slots(l.id)
		}
	default: // time passes
		d := time.Duration(m.rng.Int64N(int64(10 * time.Second)))
		if m.slow {
			d /= 1000
		}
		m.now = m.now.Add(d)
		if m.rng.IntN(2) == 0 && (!m.slow || m.rng.IntN(100) == 0) {
			m.sweep(t)
			m.reconsider()
		}
	}
}

// reconsider takes over what Reconsider made of the nodes that have failed.
func (m *model) reconsider() {
	var failed []identity.PeerID
	for slot := range m.x.failures {
		failed = append(failed, m.x.nodes[slot].id)
	}
	m.x.Reconsider(m.now)
	for _, id := range failed {
		m.slots(id)
	}
}

func (m *model) sweep(t require.TestingT) {
	m.x.Sweep(m.now, func(id identity.PeerID) {
		require.False(t, m.nodes[id].Expires.After(m.now), "only the expired go")
		delete(m.nodes, id)
	})
	for id, n := range m.nodes {
		holds(t, n.Expires.After(m.now.Add(-time.Second)), id+" is long expired")
	}
}

// check compares a decision, the top five and the counts with a scan.
func (m *model) check(t require.TestingT, job int) {
	r := randomRequest(m.rng, job, m.size)
	want, score, ok := bruteForce(m.nodes, r, m.now)
	got, err := m.x.Choose(r, m.now)
	require.Equal(t, ok, err == nil, "%+v: %v", r, err)
	if !ok {
		full, _, busy := bruteForce(freed(m.nodes), r, m.now)
		if busy {
			require.ErrorIs(t, err, ErrBusy, "%s has only no slot", full.ID)
		} else {
			require.ErrorIs(t, err, ErrNoCandidate)
		}
		return
	}
	require.Equal(t, want.ID, got.Node.ID, "%+v", r)
	require.Equal(t, score, got.Score)
	require.Equal(t, len(m.nodes), m.x.Len())

	var top [5]Choice
	n, err := m.x.TopK(r, m.now, top[:])
	require.NoError(t, err)
	again := r
	for i := range top {
		next, _, ok := bruteForce(m.nodes, again, m.now)
		require.Equal(t, ok, i < n)
		if !ok {
			break
		}
		require.Equal(t, next.ID, top[i].Node.ID, "rank %d of %+v", i, r)
		again.Exclude = append(again.Exclude[:len(again.Exclude):len(again.Exclude)], next.ID)
	}
}

// freed is nodes with a slot each.
func freed(nodes map[identity.PeerID]Node) map[identity.PeerID]Node {
	out := make(map[identity.PeerID]Node, len(nodes))
	for id, n := range nodes {
		n.FreeSlots = 1
		out[id] = n
	}
	return out
}

// Random meshes under random updates, ties and removals included: the index
// always agrees with a scan. rapid prints the seed of a failure.
func TestIndexEqualsScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "coarse"),
			rapid.SampledFrom([]int{1, 3, 40, 300, 1000}).Draw(t, "size"))
		m.names = rapid.SampledFrom([]int{0, 1, len(capabilityNames)}).Draw(t, "names")
		steps := rapid.IntRange(1, 600).Draw(t, "steps")
		if m.size == 1000 {
			steps += 2000 // a tree of three levels
		}
		for i := range steps {
			m.step(t)
			if m.rng.IntN(10) == 0 {
				m.check(t, i)
			}
		}
		for i := range 10 {
			m.check(t, steps+i)
		}
		m.x.checkInvariants(t)
	})
}

// A large mesh under long churn, seeded.
func TestChurn(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	for i := range 4 {
		m := newModel(seed, i&1 == 0, 3000)
		if i&2 == 0 {
			m.names = 0 // one tree
		}
		for i := range 60_000 {
			m.step(t)
			if i%600 == 0 {
				m.check(t, i)
			}
		}
		m.x.checkInvariants(t)
	}
}
