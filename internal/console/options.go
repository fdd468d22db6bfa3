package console

import (
	"strconv"

	"inos/internal/governance"
)

// Count is a whole number from 1 on. 0 never means that there is no limit: then the field is left out. Of a field of
// this type the tag of names the unit, most the largest value, and absent the meaning of leaving it out.
type Count struct {
	N     uint64 // 0 when the given value is no count
	Given string // as JSON, empty when nothing was given
}

// UnmarshalJSON implements json.Unmarshaler. NaN and the infinities come as null.
func (c *Count) UnmarshalJSON(b []byte) error {
	c.Given = string(b)
	if c.Given == "null" {
		c.Given = "no finite number"
	}
	c.N, _ = strconv.ParseUint(string(b), 10, 64) // 0 when it is no count
	return nil
}

// The options of inos.publish.
type PublishOptions struct {
	// Gives the name to this capsule also when another one has it; that one is then known by its CID only.
	Replace bool `json:"replace,omitempty"`
}

// The options of inos.spawn.
type SpawnOptions struct {
	// Most memory the capsule may ever have, in bytes; what the module declares when absent.
	MemoryLimit Count `json:"memoryLimit,omitzero" of:"bytes" most:"9007199254740991" absent:"what the module declares"`
	// What it may use; refused unless the node has (`capability_missing`) and allows (`capability_denied`) every
	// one.
	Capabilities []string `json:"capabilities,omitempty"`
	// `inos_sdk::args()` of the capsule, through all its restarts.
	Args           []string `json:"args,omitempty"`
	CreditLedgerID string   `json:"creditLedgerId,omitempty"`
	// Peer id of the node to start it on, which must allow it (its policy's `lifecycle` rules); here when absent.
	Node string `json:"node,omitempty"`
	// When it is started again: always, when it crashed (the default) or never.
	Restart string `json:"restart,omitempty" ts:"'permanent' | 'transient' | 'temporary'"`
	// A name, this spawner's own: too many restarts of one member end them all.
	Group string `json:"group,omitempty"`
	// Of the group, the same for every member: which members restart with one that does; 'one-for-one' when absent.
	Strategy string `json:"strategy,omitempty" ts:"'one-for-one' | 'rest-for-one'"`
}

// A job for inos.dispatch.
type DispatchOptions struct {
	// Name or CID.
	Capsule string `json:"capsule"`
	// The capsule's own default when absent.
	Method string `json:"method,omitempty"`
	// Text is sent as UTF-8.
	Input []byte   `json:"-" bytes:"input,omitempty" ts:"string | Uint8Array | ArrayBuffer"`
	Args  []string `json:"args,omitempty"`
	// Capabilities the node must have, every one: words of lower-case letters, digits, `-`, `_` and `.`.
	Requires []string `json:"requires,omitempty"`
	// The most the job may cost, in microcredits; from 1 on. This amount is held while it runs, or less when the job
	// can cost less until its deadline. Absent: the usual cost of such runs at the node's price is held, and a run
	// that takes longer is paid and repeated with more.
	Budget Count `json:"budget,omitzero" of:"microcredits" most:"9007199254740991" absent:"no budget"`
	// The most the node may charge, in microcredits a second; from 1 on.
	MaxCost Count `json:"maxCost,omitzero" of:"microcredits a second" most:"9007199254740991" absent:"any price"`
	// GeoHash prefix the node must lie in.
	Geo string `json:"geo,omitempty"`
	// 0 lowest, 255 highest.
	Priority uint8 `json:"priority,omitempty"`
	// How long it may take from this call on, waiting included; from 1 on. The error after that (`deadline`) says
	// how long the job waited, for what, and how long it ran. Absent: no limit.
	DeadlineMs Count `json:"deadlineMs,omitzero" of:"milliseconds" most:"3162240000000" absent:"no deadline"`
	// The ledger that pays. A job without one is rejected.
	CreditLedgerID string `json:"creditLedgerId,omitempty"`
	// Runs it on so many distinct nodes; accepted once `agree` of them give the same output.
	Replicas Count `json:"replicas,omitzero" of:"nodes" most:"16" absent:"one node"`
	// Absent means a majority of `replicas`.
	Agree Count `json:"agree,omitzero" of:"nodes" most:"16" absent:"a majority"`
	// W3C Trace Context of the caller: the job's spans become its children. A trace of its own when absent.
	TraceParent string `json:"traceParent,omitempty"`
}

// Requirements is the job's requirements of a node.
func (o DispatchOptions) Requirements() governance.Requirements {
	return governance.Requirements{Capabilities: o.Requires, GeoPrefix: o.Geo, MaxCost: o.MaxCost.N}
}
