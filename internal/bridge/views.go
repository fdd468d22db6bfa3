package bridge

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/scheduler"
)

// Lister lists the capsules that run here.
type Lister interface{ Capsules() []console.CapsuleRow }

// Storage says whether this node's key and ledger outlast the page, and why not.
type Storage struct {
	Durable bool
	Reason  console.StorageReason // why not
	Detail  string                // the same in the words of the error
}

func viewMemory(u budget.Use) console.MemoryUse {
	of := func(p budget.Part) uint64 { return u.Of[p.String()] }
	return console.MemoryUse{Limit: u.Most, Library: of(budget.Library), Snapshots: of(budget.Snapshots), Inputs: of(budget.Inputs),
		Outputs: of(budget.Outputs)}
}

// whyNot says, in the page's words, why a node gets no job at all now; it is empty when the node
// may get one.
func whyNot(n placement.NodeInfo) string {
	if !n.Candidate {
		if n.Self {
			return "offers no slots"
		}
		return "unknown to the scheduler"
	}
	var text []string
	for _, m := range n.Missing {
		text = append(text, m.State())
	}
	return strings.Join(text, ", ")
}

func viewNode(n placement.NodeInfo, now time.Time) console.NodeRow {
	v := console.NodeRow{
		PeerID: string(n.Profile.Peer), Name: n.Profile.Name, Kind: n.Profile.Kind, Self: n.Self, Connected: n.Connected || n.Self,
		Capabilities: some(n.Profile.Capabilities), LatencyMs: console.Ms(n.Latency), CreditCost: n.Profile.CreditCost, Score: n.Score,
		FreeSlots: n.FreeSlots, Queue: n.Profile.QueueLength, GeoHash: n.Profile.GeoHash, LatencyFrom: "claim",
		ExpiresInMs: console.Ms(n.Profile.Expires.Sub(now)), Reason: whyNot(n),
	}
	v.Eligible = v.Reason == ""
	switch {
	case n.Self:
		v.LatencyFrom = "self"
	case n.Measured:
		v.LatencyFrom = "ping"
	case n.Estimated:
		v.LatencyFrom = "coordinate"
	}
	if len(n.Profile.Addrs) > 0 {
		v.Addr = n.Profile.Addrs[0]
	}
	return v
}

// replyCode is the name of a reply's code.
func replyCode(c capsule.ReplyCode) string {
	if c == capsule.OK {
		return "ok"
	}
	return codeOf(replyError(capsule.Reply{Code: c}))
}

// considered lists the nodes of a decision: the candidates best first, then the known nodes that a
// requirement ruled out, with what they miss.
func considered(d scheduler.Explanation, names map[identity.PeerID]string, chosen identity.PeerID) []console.Considered {
	out := make([]console.Considered, 0, len(d.Top)+len(d.Ruled))
	view := func(n scheduler.Node) console.Considered {
		return console.Considered{
			PeerID: string(n.ID), Name: names[n.ID], Capabilities: some(n.Capabilities), LatencyMs: console.Ms(n.Latency), CreditCost: n.CreditCost,
		}
	}
	for i, c := range d.Top {
		v := view(c.Node)
		v.Score, v.Eligible, v.Chosen = c.Score, true, c.Node.ID == chosen
		v.Parts = c.String()
		v.Reason = fmt.Sprintf("score %.4g, rank %d", c.Score, i+1)
		if v.Chosen {
			v.Reason = placement.Reason(d, chosen)
		}
		out = append(out, v)
	}
	for _, r := range d.Ruled {
		v := view(r.Node)
		if v.Reason = "misses " + joined(r.Missed); slices.Contains(r.Missed, scheduler.NeedDial) {
			v.Reason = scheduler.NeedDial.State()
		}
		out = append(out, v)
	}
	return out
}

func joined(missed []scheduler.Requirement) string {
	text := ""
	for i, m := range missed {
		if i > 0 {
			text += ", "
		}
		text += string(m)
	}
	return text
}

// textOf shows output to people: UTF-8 as it is, other bytes in hex, cut after 64 KiB.
func textOf(output []byte) string {
	const most = 64 << 10
	if !utf8.Valid(output) {
		return hex.EncodeToString(output[:min(len(output), most/2)])
	}
	if len(output) > most {
		for output = output[:most]; !utf8.Valid(output); {
			output = output[:len(output)-1] // at most three times, when the cut was within a character
		}
	}
	return string(output)
}

// some is s, or an empty array where JavaScript would get null.
func some(s []string) []string {
	if s == nil {
		return []string{}
	}
	return slices.Clone(s)
}

func viewDecision(d governance.Decision) console.DecisionRow {
	return console.DecisionRow{JobID: d.JobID, Admitted: d.Admitted(), Rule: d.Rule, Code: d.Code, Detail: d.Detail,
		PolicyVersion: d.PolicyVersion, At: d.At.Format(time.RFC3339Nano), Ledger: string(d.Ledger), From: string(d.From)}
}
