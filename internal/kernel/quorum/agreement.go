package quorum

import (
	"fmt"
	"slices"

	"inos/internal/fault"
	"inos/internal/identity"
)

// ErrNoMajority: the number that must agree is not a majority of the nodes, or is more than there
// are. Final.
var ErrNoMajority = fault.Internal("quorum: not a majority")

// Agreement decides a job that n nodes do and of which k must give the same output, by CID. One
// goroutine uses it. Each node votes once; further votes of a node are ignored.
type Agreement struct {
	k, n  int
	votes []Vote
	won   string
}

// Vote is one node's answer. OutputCID is empty for a node that failed or was lost.
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

// NewAgreement requires 1 <= k <= n <= 64, and k > n/2, so that two outputs can never both win.
// Errors match ErrNoMajority.
func NewAgreement(k, n int) (*Agreement, error) {
	if k < 1 || k > n || n > 64 || 2*k <= n {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoMajority, k, n)
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

// Verdict is the verdict of the votes so far.
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

// Output is the output that was agreed on, empty before.
func (a *Agreement) Output() string { return a.won }
