package budget_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/budget"
	"inos/internal/fault"
)

func TestNobodyTakesMoreThanThereIs(t *testing.T) {
	m := budget.New(100)
	require.NoError(t, m.Take(budget.Inputs, 60))
	err := m.Take(budget.Outputs, 41)
	var full *budget.FullError
	require.ErrorAs(t, err, &full)
	require.Equal(t, budget.FullError{For: budget.Outputs, Wanted: 41, Taken: 60, Most: 100}, *full)
	require.Equal(t, "node_memory", fault.Find(full).Code())
	require.True(t, fault.Find(full).Retryable())
	require.NoError(t, m.Take(budget.Outputs, 40))
	require.ErrorAs(t, m.Take(budget.Library, 1<<64-1), &full, "no overflow")
	m.Give(budget.Inputs, 60)
	require.Zero(t, m.Of(budget.Inputs))
	require.EqualValues(t, 40, m.Of(budget.Outputs))
	require.NoError(t, m.Take(budget.Library, 60))
}

func TestWithoutABoundItCountsAll(t *testing.T) {
	m := budget.New(0)
	require.NoError(t, m.Take(budget.Library, 1<<40))
	require.EqualValues(t, 1<<40, m.Of(budget.Library))
	var none *budget.Memory
	require.NoError(t, none.Take(budget.Library, 1<<40))
	none.Give(budget.Library, 1<<40)
	l := none.Lease(budget.Inputs)
	require.NoError(t, l.Hold(1))
	l.End()
}

// In any order of leases, what is taken is what they hold, and no more than there is.
func TestLeasesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 1000
		m := budget.New(most)
		all := budget.Parts()
		leases, held := make([]*budget.Lease, len(all)), make([]uint64, len(all))
		for i, p := range all {
			leases[i] = m.Lease(p)
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			i, n := rapid.IntRange(0, len(all)-1).Draw(t, "part"), rapid.Uint64Range(0, most+1).Draw(t, "bytes")
			sum := n - held[i]
			for _, h := range held {
				sum += h
			}
			if err := leases[i].Hold(n); (err == nil) != (sum <= most) {
				t.Fatalf("%v holds %d: %v", held, n, err)
			} else if err == nil {
				held[i] = n
			}
			for j, p := range all {
				if m.Of(p) != held[j] {
					t.Fatalf("%v has %d, not %d", p, m.Of(p), held[j])
				}
			}
		}
	})
}

func TestManyTakeAtOnce(t *testing.T) {
	m := budget.New(10)
	var working sync.WaitGroup
	for _, p := range budget.Parts() {
		working.Go(func() {
			for range 1000 {
				if m.Take(p, 7) == nil {
					m.Give(p, 7)
				}
			}
		})
	}
	working.Wait()
	require.NoError(t, m.Take(budget.Inputs, 10))
}
