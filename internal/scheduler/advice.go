package scheduler

import (
	"fmt"
	"slices"
	"strings"
)

// String formats the candidate's score and its terms for people to read.
func (c Candidate) String() string {
	parts := make([]string, len(c.Parts))
	for i, p := range c.Parts {
		parts[i] = fmt.Sprintf("%s = %.4g", p.Name, p.Value)
	}
	return fmt.Sprintf("score %.4g: %s", c.Score, strings.Join(parts, ", "))
}

// Counts returns a phrase for each requirement with the number of nodes that it ruled out, of those
// considered for r. A node that misses several requirements counts under each of them.
func (e Explanation) Counts(r Request) []string {
	var out []string
	for i := range requirements {
		row := &requirements[i]
		n := e.RuledOut[row.name]
		if n == 0 {
			continue
		}
		s := fmt.Sprintf("%d %s", n, row.counted[min(n, 2)-1])
		if row.asked != nil {
			s += row.asked(&r)
		}
		out = append(out, s)
	}
	return out
}

// Advice returns one sentence for each requirement that would let the job run if it alone were
// relaxed. When no single requirement would do, Advice says so. It is empty when the job can run.
func (e Explanation) Advice() []string {
	if e.Feasible > 0 {
		return nil
	}
	if e.Considered == 0 {
		return []string{"no node is known"}
	}
	var out []string
	for i := range requirements {
		row := &requirements[i]
		n := e.Unlocks[row.name]
		if n == 0 {
			continue
		}
		s := fmt.Sprintf("relaxing %s alone would let %d of %d nodes run it", row.name, n, e.Considered)
		if row.relief != nil {
			s += row.relief(&e)
		}
		out = append(out, s)
	}
	if out == nil {
		return []string{"no single requirement, relaxed, would let it run: every node misses two or more"}
	}
	return out
}

func (e *Explanation) capabilityRelief() string {
	names := make([]string, 0, len(e.UnlocksCapability))
	for name := range e.UnlocksCapability {
		names = append(names, name)
	}
	slices.Sort(names)
	var s strings.Builder
	for _, name := range names {
		fmt.Fprintf(&s, "; without %q %d would do", name, e.UnlocksCapability[name])
	}
	return s.String()
}
