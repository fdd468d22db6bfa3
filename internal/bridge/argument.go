package bridge

import (
	"slices"
	"strconv"
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
	Budget         whole    `json:"budget"`
	MaxCost        whole    `json:"maxCost"`
	Geo            string   `json:"geo"`
	Priority       uint8    `json:"priority"`
	DeadlineMs     whole    `json:"deadlineMs"`
	CreditLedgerID string   `json:"creditLedgerId"`
	Replicas       whole    `json:"replicas"`
	Agree          whole    `json:"agree"`
	TraceParent    string   `json:"traceParent"`
}

// check says what is no figure: nothing means no limit, so that 0, which is none, never
// does. Errors are *Error of errBadArgument.
func (a dispatchArgs) check(verb string) error {
	for _, f := range []struct {
		name, of, without string
		given             whole
		most              uint64
	}{
		{"budget", "a whole number of microcredits", "no budget", a.Budget, mostBudget},
		{"maxCost", "a whole number of microcredits a second", "any price", a.MaxCost, mostBudget},
		{"deadlineMs", "a whole number of milliseconds", "no deadline", a.DeadlineMs, mostDeadline},
		{"replicas", "a whole number of nodes", "one node", a.Replicas, governance.MaxReplicas},
		{"agree", "a whole number of nodes", "a majority", a.Agree, governance.MaxReplicas},
	} {
		if f.given.raw == "" || f.given.n >= 1 && f.given.n <= f.most {
			continue
		}
		return failed(errBadArgument, "%s: job.%s: expected %s from 1 to %d, got %.40s; leave it out for %s",
			verb, f.name, f.of, f.most, f.given.raw, f.without)
	}
	return nil
}

const (
	// mostBudget is what JavaScript counts to without leaving a number out, and
	// mostDeadline a hundred years in milliseconds.
	mostBudget   = 1<<53 - 1
	mostDeadline = 100 * 366 * 24 * 60 * 60 * 1000
)

// whole is a whole number, or what was given instead: then it is 0.
type whole struct {
	n   uint64
	raw string // JSON, empty when nothing was given
}

// UnmarshalJSON implements json.Unmarshaler. NaN and the infinities come as null.
func (w *whole) UnmarshalJSON(b []byte) error {
	w.raw = string(b)
	if w.raw == "null" {
		w.raw = "no finite number"
	}
	w.n, _ = strconv.ParseUint(string(b), 10, 64) // 0 when it is none
	return nil
}

// order is the job that a asks for. It was asked at that time, from which its deadline
// counts.
func (a dispatchArgs) order(cid capsule.CID, input []byte, self identity.PeerID, asked time.Time) submit.Order {
	o := submit.Order{
		Replicas: uint8(a.Replicas.n), Agree: uint8(a.Agree.n),
		Capsule: cid,
		Method:  a.Method,
		Args:    a.Args,
		Input:   input,
		Requirements: governance.Requirements{
			Capabilities: a.Requires,
			GeoPrefix:    a.Geo,
			MaxCost:      a.MaxCost.n,
		},
		Priority:       a.Priority,
		Budget:         a.Budget.n,
		CreditLedgerID: a.CreditLedgerID,
		Module:         "inos.console",
		Device:         self,
		TraceParent:    a.TraceParent,
	}
	if a.DeadlineMs.n > 0 {
		o.Deadline = asked.Add(time.Duration(a.DeadlineMs.n) * time.Millisecond)
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

// publishArgs is PublishOptions of web/kernel.d.ts.
type publishArgs struct {
	Replace bool `json:"replace"`
}

// params makes a Spawn's of a. Errors are *Error of errBadArgument.
func (a spawnArgs) params(cid capsule.CID) (*capsule.SpawnParams, error) {
	p := &capsule.SpawnParams{CID: cid.String(), MemoryLimit: a.MemoryLimit, Capabilities: a.Capabilities, Args: a.Args,
		CreditLedgerID: a.CreditLedgerID, Group: a.Group}
	restart := slices.Index([]string{"", "permanent", "transient", "temporary"}, a.Restart)
	strategy := slices.Index([]string{"one-for-one", "rest-for-one"}, a.Strategy)
	wrong := func(field, want, got string) error {
		return failed(errBadArgument, "spawn: options.%s: expected %s, got %.40q", field, want, got)
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
