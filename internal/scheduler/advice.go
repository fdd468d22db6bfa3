package scheduler

import (
	"fmt"
	"slices"
	"strings"
)

// String names the candidate's score and every part of it, for people.
func (c Candidate) String() string {
	parts := make([]string, len(c.Parts))
	for i, p := range c.Parts {
		parts[i] = fmt.Sprintf("%s = %.4g", p.Name, p.Value)
	}
	return fmt.Sprintf("score %.4g: %s", c.Score, strings.Join(parts, ", "))
}

// Counts says, in a phrase for each requirement, how many nodes it ruled out of those
// that were considered for r; a node that misses several counts under each.
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

// Advice says, a sentence each, which single requirement, relaxed, would let the
// job run. It is empty when the job can run, and says so when no single one would
// do.
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
