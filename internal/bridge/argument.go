package bridge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/submit"
)

// dispatchArgs is DispatchOptions of web/kernel.d.ts, without its input.
type dispatchArgs struct {
	Capsule        string   `json:"capsule"`
	Method         string   `json:"method"`
	Args           []string `json:"args"`
	Requires       []string `json:"requires"`
	Budget         uint64   `json:"budget"`
	MaxCost        uint64   `json:"maxCost"`
	Geo            string   `json:"geo"`
	Priority       uint8    `json:"priority"`
	DeadlineMs     float64  `json:"deadlineMs"`
	CreditLedgerID string   `json:"creditLedgerId"`
	Replicas       uint8    `json:"replicas"`
	Agree          uint8    `json:"agree"`
	TraceParent    string   `json:"traceParent"`
}

func (a dispatchArgs) order(cid capsule.CID, input []byte, self identity.PeerID, now time.Time) submit.Order {
	o := submit.Order{
		Replicas: a.Replicas, Agree: a.Agree,
		Capsule: cid,
		Method:  a.Method,
		Args:    a.Args,
		Input:   input,
		Requirements: governance.Requirements{
			Capabilities: a.Requires,
			GeoPrefix:    a.Geo,
			MaxCost:      a.MaxCost,
		},
		Priority:       a.Priority,
		Budget:         a.Budget,
		CreditLedgerID: a.CreditLedgerID,
		Module:         "inos.console",
		Device:         self,
		TraceParent:    a.TraceParent,
	}
	if a.DeadlineMs > 0 {
		o.Deadline = now.Add(time.Duration(a.DeadlineMs * float64(time.Millisecond)))
	}
	return o
}

// spawnArgs is SpawnOptions of web/kernel.d.ts.
type spawnArgs struct {
	MemoryLimit    uint64   `json:"memoryLimit"`
	Capabilities   []string `json:"capabilities"`
	Args           []string `json:"args"`
	CreditLedgerID string   `json:"creditLedgerId"`
	Node           string   `json:"node"`
	Restart        string   `json:"restart"`
	Group          string   `json:"group"`
	Strategy       string   `json:"strategy"`
}

// params makes a Spawn's of a. Errors are *Error of CodeBadArgument.
func (a spawnArgs) params(cid capsule.CID) (*capsule.SpawnParams, error) {
	p := &capsule.SpawnParams{CID: cid.String(), MemoryLimit: a.MemoryLimit, Capabilities: a.Capabilities, Args: a.Args,
		CreditLedgerID: a.CreditLedgerID, Group: a.Group}
	restart := slices.Index([]string{"", "permanent", "transient", "temporary"}, a.Restart)
	strategy := slices.Index([]string{"one-for-one", "rest-for-one"}, a.Strategy)
	wrong := func(field, want, got string) error {
		return &Error{Code: CodeBadArgument, Message: fmt.Sprintf("spawn: options.%s: expected %s, got %.40q", field, want, got)}
	}
	switch {
	case restart < 0:
		return nil, wrong("restart", "'permanent', 'transient' or 'temporary'", a.Restart)
	case strategy < 0 && a.Strategy != "":
		return nil, wrong("strategy", "'one-for-one' or 'rest-for-one'", a.Strategy)
	case a.Strategy != "" && a.Group == "":
		return nil, wrong("group", "a name, since there is a strategy", a.Group)
	}
	p.Restart, p.Strategy = capsule.RestartPolicy(restart), capsule.GroupStrategy(max(strategy, 0))
	return p, nil
}

// levelOf names the level of a capsule's log line as the page's log does.
func levelOf(level int8) string {
	switch {
	case level < 0:
		return "debug"
	case level < 4:
		return "info"
	case level < 8:
		return "warn"
	}
	return "error"
}

// capsuleAddress is a capsule's id as the console has it: of one on another node,
// PEER/ID. node is empty for this one.
func capsuleAddress(s string) (node identity.PeerID, id string) {
	if peer, id, ok := strings.Cut(s, "/"); ok {
		return identity.PeerID(peer), id
	}
	return "", s
}

// addressOf is the reverse.
func addressOf(node, self identity.PeerID, id string) string {
	if node == "" || node == self || id == "" {
		return id
	}
	return string(node) + "/" + id
}

// hostSample is HostSample of web/src/rpc/protocol.ts: what only the page sees.
type hostSample struct {
	IdleMs   float64  `json:"idleMs"`
	Hidden   bool     `json:"hidden"`
	Battery  *float64 `json:"battery"`
	Charging *bool    `json:"charging"`
}
