package placement

import (
	"fmt"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// TopCandidates is how many candidates a Decision names.
const TopCandidates = 5

// Decision is one choice of the scheduler, with the state at that time.
type Decision struct {
	// Explanation is complete when Counted is set; otherwise only Considered, Top and Why of it are
	// known.
	scheduler.Explanation
	// Counted: every node was looked at. A choice among more nodes than Config.Explain does not do
	// that, since it takes longer than the choice; for a job that gets no node it is always done.
	Counted bool
	Latency time.Duration // with which the winner was scored
	Took    time.Duration // the choice and its description
	Looked  bool          // the directory was asked, since no known node was suitable
}

// Reason says why a job ran on node, by the decision that sent it: what set the winner apart, or
// the rank of a node that was taken though others score better, as the nodes of a job's further
// replicas are. It is empty for a node that was no candidate or is ranked too low to be listed.
func Reason(e scheduler.Explanation, node identity.PeerID) string {
	for i, c := range e.Top {
		switch {
		case c.Node.ID != node:
		case i == 0:
			return e.Why
		default:
			return fmt.Sprintf("score %.4g, rank %d", c.Score, i+1)
		}
	}
	return ""
}

// Describe is the Decision about req. best are the best nodes, if they are known.
func (t *Table) Describe(req scheduler.Request, best []scheduler.Choice, now time.Time) (d Decision) {
	if t.index.Len() <= t.cfg.Explain {
		return t.Count(req, now)
	}
	if best == nil {
		best = t.best(req, now, make([]scheduler.Choice, TopCandidates))
	}
	best = best[:min(len(best), TopCandidates)]
	d.Considered = t.index.Len()
	d.Top = make([]scheduler.Candidate, len(best))
	for i, c := range best {
		d.Top[i] = scheduler.Candidate{Node: c.Node, Score: c.Score, Parts: t.index.Parts(c.Node)}
	}
	switch {
	case len(best) == 0:
	case len(best) == 1:
		d.Why = "only candidate"
	case best[0].Score == best[1].Score:
		d.Why = "tie broken by hash of job and node"
	default:
		d.Why = "highest score"
	}
	return d
}

// Count is the Decision about req for which every node was looked at.
func (t *Table) Count(req scheduler.Request, now time.Time) (d Decision) {
	// Choosing refuses a bad request; there is nothing to explain then.
	d.Explanation, _ = t.index.Explain(req, now, TopCandidates)
	d.Counted = true
	return d
}

// NodeInfo is a known node as the scheduler sees it.
type NodeInfo struct {
	Profile   mesh.Profile
	Self      bool
	Connected bool
	Latency   time.Duration // with which it is scored
	Measured  bool          // Latency is this node's own measurement
	Estimated bool          // Latency is the distance of the two nodes' coordinates
	FreeSlots uint32        // net of jobs on their way there
	Score     float64
	Failures  float64 // its own recent ones: a count that halves every minute
	// Candidate: the scheduler knows the node, so that it may get jobs unless it misses something
	// that every job needs (Missing).
	Candidate bool
	Missing   []scheduler.Requirement
}

// Info describes a known node; false for any other, and for this one.
func (t *Table) Info(id identity.PeerID, now time.Time) (info NodeInfo, known bool) {
	n := t.nodes[id]
	if n == nil {
		return info, false
	}
	_, settled := t.estimate(n.profile.Coordinate)
	info = NodeInfo{Profile: n.profile, Connected: n.connected, Measured: n.rtt > 0, Estimated: n.rtt == 0 && settled}
	t.score(&info, now)
	return info, true
}

// OwnInfo describes this node, whose profile is p.
func (t *Table) OwnInfo(p mesh.Profile, now time.Time) NodeInfo {
	info := NodeInfo{Profile: p, Self: true, Measured: true}
	t.score(&info, now)
	return info
}

// score fills in the index's figures of a node.
func (t *Table) score(info *NodeInfo, now time.Time) {
	info.Missing, info.Candidate = t.index.Missing(info.Profile.Peer, now)
	if n, ok := t.index.Node(info.Profile.Peer); ok {
		info.Latency, info.FreeSlots, info.Failures = n.Latency, n.FreeSlots, n.Failures
		// The index counts failures in the same way.
		info.Score = t.scorer.Score(n) / (1 + n.Failures)
	}
}

// Infos describes the known nodes by id, without this one.
func (t *Table) Infos(now time.Time) []NodeInfo {
	ids := make([]identity.PeerID, 0, len(t.nodes))
	for id := range t.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]NodeInfo, len(ids))
	for i, id := range ids {
		out[i], _ = t.Info(id, now)
	}
	return out
}
