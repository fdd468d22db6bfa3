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
	for _, r := range Requirements {
		n := e.Unlocks[r]
		if n == 0 {
			continue
		}
		s := fmt.Sprintf("relaxing %s alone would let %d of %d nodes run it", r, n, e.Considered)
		switch r {
		case NeedCost:
			s += fmt.Sprintf("; a ceiling of %d microcredits a second is enough for one", e.UnlocksCost)
		case NeedCapabilities:
			names := make([]string, 0, len(e.UnlocksCapability))
			for name := range e.UnlocksCapability {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				s += fmt.Sprintf("; without %q %d would do", name, e.UnlocksCapability[name])
			}
		case NeedSlot:
			s += "; it waits for a free slot"
		case NeedTrust:
			s += "; it waits for the end of a quarantine"
		case NeedReach:
			s += "; they did not answer, and are tried again within 30 s"
		case NeedAnswer:
			s += "; they are only told of so far, and may run jobs once they answer"
		case NeedDial:
			s += "; they accept no connections, as browsers do not, and have to connect to this node"
		}
		out = append(out, s)
	}
	if out == nil {
		return []string{"no single requirement, relaxed, would let it run: every node misses two or more"}
	}
	return out
}
