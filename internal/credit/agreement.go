package credit

import (
	"fmt"
	"slices"

	"inos/internal/identity"
)

// Agreement decides a job that n nodes do and of which k must give the same
// output, by CID. It is not safe for concurrent use: the loop that owns the job
// owns it. Each node votes once; what a node says twice is ignored.
type Agreement struct {
	k, n  int
	votes []Vote
	won   string
}

// Vote is one node's answer. An empty OutputCID is a node that failed or was lost.
type Vote struct {
	Node      identity.PeerID
	OutputCID string
}

// Verdict of an Agreement.
type Verdict uint8

// The verdicts.
const (
	Open     Verdict = iota // more votes are needed
	Agreed                  // k nodes gave the same output
	Disputed                // k can no longer agree
)

// NewAgreement asks for 1 <= k <= n <= 64, and k > n/2, so that two outputs can
// never both win. Errors match ErrConfig.
func NewAgreement(k, n int) (*Agreement, error) {
	if k < 1 || k > n || n > 64 || 2*k <= n {
		return nil, fmt.Errorf("%w: %d of %d is no majority", ErrConfig, k, n)
	}
	return &Agreement{k: k, n: n}, nil
}

// Add counts a vote and returns the verdict. Votes after n are ignored.
func (a *Agreement) Add(v Vote) Verdict {
	known := slices.ContainsFunc(a.votes, func(o Vote) bool { return o.Node == v.Node })
	if !known && len(a.votes) < a.n {
		a.votes = append(a.votes, v)
		if v.OutputCID != "" && a.count(v.OutputCID) == a.k {
			a.won = v.OutputCID
		}
	}
	return a.Verdict()
}

func (a *Agreement) count(cid string) (n int) {
	for _, v := range a.votes {
		if v.OutputCID == cid {
			n++
		}
	}
	return n
}

// Verdict as of the votes so far.
func (a *Agreement) Verdict() Verdict {
	if a.won != "" {
		return Agreed
	}
	most := 0
	for _, v := range a.votes {
		if v.OutputCID != "" {
			most = max(most, a.count(v.OutputCID))
		}
	}
	if most+a.n-len(a.votes) < a.k {
		return Disputed
	}
	return Open
}

// Output is what was agreed on, empty before.
func (a *Agreement) Output() string { return a.won }

// Paid are the nodes to pay, in the order they voted: those that gave the agreed
// output. Nobody is, before there is one.
func (a *Agreement) Paid() []identity.PeerID {
	return a.nodes(func(v Vote) bool { return a.won != "" && v.OutputCID == a.won })
}

// Dissent are the nodes that gave another output than the agreed one. Their
// vouchers are refunded and their reputation falls.
func (a *Agreement) Dissent() []identity.PeerID {
	return a.nodes(func(v Vote) bool { return a.won != "" && v.OutputCID != "" && v.OutputCID != a.won })
}

func (a *Agreement) nodes(keep func(Vote) bool) (out []identity.PeerID) {
	for _, v := range a.votes {
		if keep(v) {
			out = append(out, v.Node)
		}
	}
	return out
}

// Site is where a node stands and who owns it, for Spread.
type Site struct {
	Node    identity.PeerID
	GeoHash string
	Owner   string // whatever names the owner: empty is the node itself
}

// Spread picks up to n of sites, in their order (best first), so that no two
// share an owner and, as long as there are enough, no two lie in one GeoHash cell
// of cell characters. Nodes that share both gain nothing by agreeing.
func Spread(sites []Site, n, cell int) []Site {
	var out []Site
	owners, cells := map[string]bool{}, map[string]bool{}
	var second []Site
	for _, s := range sites {
		owner, c := s.Owner, s.GeoHash[:min(len(s.GeoHash), max(cell, 0))]
		if owner == "" {
			owner = string(s.Node)
		}
		if len(out) == n {
			return out
		}
		switch {
		case owners[owner]:
		case c != "" && cells[c]:
			second = append(second, s)
		default:
			owners[owner], cells[c] = true, true
			out = append(out, s)
		}
	}
	for _, s := range second {
		owner := s.Owner
		if owner == "" {
			owner = string(s.Node)
		}
		if len(out) < n && !owners[owner] {
			owners[owner] = true
			out = append(out, s)
		}
	}
	return out
}
