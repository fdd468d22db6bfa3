package sim

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Over every workload the scheduler's p99 is at most the plain formula's, and it
// is ahead of the others on p99 at no higher cost. The run is seeded: the figures
// are the same everywhere.
func TestAheadOfTheOthers(t *testing.T) {
	const seed = 5
	m := Mesh{Jobs: 4000}
	t.Logf("seed %d", seed)
	var fairness, refused [2]float64 // with the waiting time, without it
	for _, w := range Workloads() {
		results := make(map[string]Result)
		var rows []Result
		for _, p := range Policies() {
			r := Run(seed, m, w, p)
			results[r.Policy] = r
			rows = append(rows, r)
		}
		t.Log("\n" + Markdown(w, rows))
		ours := results["INOS"]
		require.LessOrEqual(t, ours.P99, results["plain formula"].P99, w.Name)
		require.LessOrEqual(t, ours.Makespan, results["plain formula"].Makespan, w.Name)
		for _, other := range []string{"random", "round-robin", "two choices", "shortest queue"} {
			require.Less(t, ours.P99, results[other].P99, "%s: p99 against %s", w.Name, other)
			require.Less(t, ours.Cost, results[other].Cost, "%s: cost against %s", w.Name, other)
		}
		// With late binding they are as quick: the choice is what makes ours cheaper than
		// all of those but the one that looks at nothing but the price.
		for _, other := range []string{"random, late", "shortest queue, late", "nearest, late"} {
			require.Less(t, float64(ours.P99), 1.1*float64(results[other].P99), "%s: p99 against %s", w.Name, other)
			require.Less(t, ours.Cost, results[other].Cost, "%s: cost against %s", w.Name, other)
		}
		require.Less(t, float64(ours.P99), 1.1*float64(results["cheapest, late"].P99), "%s: p99 against the cheapest", w.Name)
		slots := results["INOS, slots only"]
		require.Less(t, float64(ours.P99), 1.1*float64(slots.P99), w.Name)
		fairness[0], fairness[1] = fairness[0]+ours.Fairness, fairness[1]+slots.Fairness
		refused[0], refused[1] = refused[0]+ours.Refused, refused[1]+slots.Refused
	}
	// What the waiting time itself is for, over all workloads: the choice spreads.
	require.Greater(t, fairness[0], fairness[1])
	require.Less(t, refused[0], refused[1])
}

// The same seed is the same run.
func TestRepeatable(t *testing.T) {
	m := Mesh{Jobs: 1000, Nodes: 20}
	for _, p := range Policies() {
		require.Equal(t, Run(9, m, Workloads()[0], p), Run(9, m, Workloads()[0], p))
	}
}

func TestChartIsXML(t *testing.T) {
	m := Mesh{Jobs: 200, Nodes: 10}
	svg := Chart("p99 & load", Sweep(m, Workloads()[0], Policies(), []float64{0.2, 0.5}, 1))
	require.Contains(t, svg, "shortest queue")
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}
