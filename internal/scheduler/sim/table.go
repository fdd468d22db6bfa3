package sim

import (
	"fmt"
	"strings"
	"time"
)

// Table runs all policies over w and returns for each the mean of the seeds 1 to seeds.
func Table(m Mesh, w Workload, policies []Policy, seeds int) []Result {
	out := make([]Result, len(policies))
	for i, p := range policies {
		out[i] = Mean(m, w, p, seeds)
	}
	return out
}

// Mean runs one policy over w and returns the mean of the seeds 1 to seeds.
func Mean(m Mesh, w Workload, p Policy, seeds int) Result {
	sum := Result{Policy: p.Name}
	n := time.Duration(seeds)
	for seed := range seeds {
		r := Run(uint64(1+seed), m, w, p)
		sum.Makespan += r.Makespan / n
		sum.P50 += r.P50 / n
		sum.P99 += r.P99 / n
		sum.Cost += r.Cost / float64(seeds)
		sum.Fairness += r.Fairness / float64(seeds)
		sum.Refused += r.Refused / float64(seeds)
	}
	return sum
}

// Markdown prints one workload's results as a table.
func Markdown(w Workload, results []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | makespan s | p50 ms | p99 ms | cost per job | fairness | refused per job |\n", w.Name)
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %.1f | %.0f | %.0f | %.2f | %.2f | %.2f |\n", r.Policy,
			r.Makespan.Seconds(), ms(r.P50), ms(r.P99), r.Cost, r.Fairness, r.Refused)
	}
	return b.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
