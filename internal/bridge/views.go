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
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/scheduler"
)

// Lister lists the capsules that run here with what the kernel itself does not
// need to know of them.
type Lister interface{ Capsules() []CapsuleRow }

// CapsuleRow is one running capsule, for people.
type CapsuleRow struct {
	ID, Name, CID, State string
	Heartbeat            capsule.Heartbeat
	HeartbeatAt          time.Time
	MemoryBytes          uint64
	Epoch                uint32
	Restarts             int
	Unheard              uint64 // bytes it emitted while nobody listened
	Reason               string // of the last end
}

// The views are what the console shows: flat, so that console.table reads well.
// web/kernel.d.ts names the same fields. Times are milliseconds.

// Storage says whether this node's key and ledger outlast the page.
type Storage struct {
	Durable bool
	Reason  string // why not: StorageReason of web/kernel.d.ts; empty when they do
	Detail  string // the same in the words of what refused
}

type statusView struct {
	PeerID       string   `json:"peerId"`
	LedgerID     string   `json:"ledgerId"`
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	State        string   `json:"state"`
	UptimeMs     float64  `json:"uptimeMs"`
	Peers        int      `json:"peers"`
	Nodes        int      `json:"nodes"`
	Capsules     int      `json:"capsules"`
	Jobs         int      `json:"jobs"`
	Capabilities []string `json:"capabilities"`
	Bootstrap    []string `json:"bootstrap"`
	ClockOffset  *float64 `json:"clockOffsetMs"`
	Mining       bool     `json:"mining"`
	Fidelity     string   `json:"fidelity"`
	HeapBytes    uint64   `json:"heapBytes"`

	Memory memoryView `json:"memory"`

	Durable       bool   `json:"durable"`
	DurableReason string `json:"durableReason"`
	DurableDetail string `json:"durableDetail"`
}

type memoryView struct {
	Limit     uint64 `json:"limit"`
	Library   uint64 `json:"library"`
	Snapshots uint64 `json:"snapshots"`
	Inputs    uint64 `json:"inputs"`
	Outputs   uint64 `json:"outputs"`
}

func viewMemory(u budget.Use) memoryView {
	of := func(p budget.Part) uint64 { return u.Of[p.String()] }
	return memoryView{u.Most, of(budget.Library), of(budget.Snapshots), of(budget.Inputs), of(budget.Outputs)}
}

type nodeView struct {
	PeerID       string   `json:"peerId"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	Self         bool     `json:"self"`
	Connected    bool     `json:"connected"`
	Capabilities []string `json:"capabilities"`
	LatencyMs    float64  `json:"latencyMs"`
	CreditCost   uint64   `json:"creditCost"`
	Score        float64  `json:"score"`
	FreeSlots    uint32   `json:"freeSlots"`
	Queue        uint32   `json:"queue"`
	GeoHash      string   `json:"geohash"`
	LatencyFrom  string   `json:"latencyFrom"`
	Addr         string   `json:"addr"`
	ExpiresInMs  float64  `json:"expiresInMs"`
	Eligible     bool     `json:"eligible"`
	Reason       string   `json:"reason"`
}

// whyNot says why a node gets no job at all for now, in the words of the page; empty when
// it may get one.
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

type foundView struct {
	nodeView
	Heard bool `json:"heard"`
}

func viewNode(n placement.NodeInfo, now time.Time) nodeView {
	v := nodeView{
		PeerID: string(n.Profile.Peer), Name: n.Profile.Name, Kind: n.Profile.Kind, Self: n.Self, Connected: n.Connected || n.Self,
		Capabilities: some(n.Profile.Capabilities), LatencyMs: ms(n.Latency), CreditCost: n.Profile.CreditCost, Score: n.Score,
		FreeSlots: n.FreeSlots, Queue: n.Profile.QueueLength, GeoHash: n.Profile.GeoHash, LatencyFrom: "claim",
		ExpiresInMs: ms(n.Profile.Expires.Sub(now)), Reason: whyNot(n),
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

type capsuleView struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	CID            string  `json:"cid"`
	State          string  `json:"state"`
	MemoryBytes    uint64  `json:"memoryBytes"`
	MemoryEpoch    uint32  `json:"memoryEpoch"`
	CPUMs          float64 `json:"cpuMs"`
	JobsDone       uint64  `json:"jobsDone"`
	Heartbeats     uint64  `json:"heartbeats"`
	HeartbeatAgeMs float64 `json:"heartbeatAgeMs"`
	Restarts       int     `json:"restarts"`
	Congested      bool    `json:"congested"`
	Unheard        uint64  `json:"unheard"`
	Reason         string  `json:"reason"`
}

type jobView struct {
	ID          string  `json:"id"`
	Capsule     string  `json:"capsule"`
	Method      string  `json:"method"`
	State       string  `json:"state"`
	Node        string  `json:"node"`
	NodeName    string  `json:"nodeName"`
	Score       float64 `json:"score"`
	InputBytes  uint64  `json:"inputBytes"`
	OutputBytes uint64  `json:"outputBytes"`
	Cost        uint64  `json:"cost"`
	TotalMs     float64 `json:"totalMs"`
	Reason      string  `json:"reason"`
}

type consideredView struct {
	PeerID       string   `json:"peerId"`
	Name         string   `json:"name"`
	Capabilities []string `json:"capabilities"`
	LatencyMs    float64  `json:"latencyMs"`
	CreditCost   uint64   `json:"creditCost"`
	Score        float64  `json:"score"`
	Eligible     bool     `json:"eligible"`
	Chosen       bool     `json:"chosen"`
	Reason       string   `json:"reason"`
	Parts        string   `json:"parts"`
}

type outcomeView struct {
	JobID        string           `json:"jobId"`
	Node         string           `json:"node"`
	NodeName     string           `json:"nodeName"`
	Local        bool             `json:"local"`
	Score        float64          `json:"score"`
	Considered   []consideredView `json:"considered"`
	Why          string           `json:"why"`
	Text         string           `json:"text"`
	OutputCID    string           `json:"outputCid"`
	Cost         uint64           `json:"cost"`
	Paid         bool             `json:"paid"`
	CapsuleBytes uint64           `json:"capsuleBytes"`
	Attempts     int              `json:"attempts"`
	QueuedMs     float64          `json:"queuedMs"`
	RunMs        float64          `json:"runMs"`
	TotalMs      float64          `json:"totalMs"`
}

type callView struct {
	CapsuleID string  `json:"capsuleId"`
	Text      string  `json:"text"`
	RunMs     float64 `json:"runMs"`
}

type explanationView struct {
	JobID      string           `json:"jobId"`
	Chosen     string           `json:"chosen"`
	Summary    string           `json:"summary"`
	Considered []consideredView `json:"considered"`
}

type replyView struct {
	CapsuleID   string `json:"capsuleId"`
	Code        string `json:"code"`
	Message     string `json:"message"`
	MemoryBytes uint64 `json:"memoryBytes"`
	MemoryEpoch uint32 `json:"memoryEpoch"`
	SnapshotCID string `json:"snapshotCid"`
}

// replyCode is the stable code of an answer.
func replyCode(c capsule.ReplyCode) string {
	if c == capsule.OK {
		return "ok"
	}
	return codeOf(replyError(capsule.Reply{Code: c}))
}

// considered lists who was looked at: the candidates best first, then the known
// nodes that a requirement ruled out, with what they miss.
func considered(d scheduler.Explanation, names map[identity.PeerID]string, chosen identity.PeerID) []consideredView {
	out := make([]consideredView, 0, len(d.Top)+len(d.Ruled))
	view := func(n scheduler.Node) consideredView {
		return consideredView{
			PeerID: string(n.ID), Name: names[n.ID], Capabilities: some(n.Capabilities), LatencyMs: ms(n.Latency), CreditCost: n.CreditCost,
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

// textOf shows output to a person: as it is when it is UTF-8, otherwise in hex,
// cut after 64 KiB.
func textOf(output []byte) string {
	const most = 64 << 10
	if !utf8.Valid(output) {
		return hex.EncodeToString(output[:min(len(output), most/2)])
	}
	if len(output) > most {
		for output = output[:most]; !utf8.Valid(output); {
			output = output[:len(output)-1] // at most three times: a character was cut
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

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
