package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A mesh of 100,000 nodes under long churn: joining, leaving, expiring, changing
// price and latency, taking and returning slots, failing. At sampled decisions the
// index agrees with a scan of every node. Seeded.
func TestLargeChurn(t *testing.T) {
	const seed, size, steps, samples = 17, 100_000, 40_000, 40
	t.Logf("seed %d", seed)
	m := newModel(seed, false, size)
	for i := range size {
		n := randomNode(m.rng, i, false, m.now)
		m.seq++
		n.Sequence = m.seq
		require.NoError(t, m.x.Upsert(n, m.now))
		m.nodes[n.ID] = n
	}
	m.slow = true
	for i := range steps {
		m.step(t)
		if i%(steps/samples) == 0 {
			m.check(t, i)
		}
	}
	m.x.checkInvariants(t)
	t.Logf("%d nodes at the end of %d changes, %d decisions equal to a scan", len(m.nodes), steps, samples)
}
