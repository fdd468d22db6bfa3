package console

import (
	"encoding/json"
	"reflect"
)

// Kind is the first field of every event: its type. The field that embeds it names the type in its tag event.
type Kind struct {
	_    [0]func() // events are not compared: without the comparison functions the kernel is smaller
	Type string    `json:"type"`
}

func (k *Kind) is(kind string) { k.Type = kind }

// Moment is the time of an event, in Unix time.
type Moment struct {
	At int64 `json:"at"`
}

// Event is a pointer to one of the structs below.
type Event interface{ is(kind string) }

// Encode returns the event as JSON, with its type.
func Encode(e Event) ([]byte, error) {
	e.is(reflect.TypeOf(e).Elem().Field(0).Tag.Get("event"))
	return json.Marshal(e)
}

// A message for people.
type LogEvent struct {
	Kind  `event:"log"`
	At    int64  `json:"at,omitempty"`
	Level string `json:"level" ts:"'debug' | 'info' | 'warn' | 'error'"`
	Text  string `json:"text"`
	// 'shell', 'worker' or 'kernel'; absent for an event of the kernel.
	Source string `json:"source,omitempty"`
	// The capsule that wrote the line.
	ID *string `json:"id,omitempty"`
	// How many events were dropped.
	Count *uint64 `json:"count,omitempty"`
}

// The kernel has a peer after it had none.
type JoinedEvent struct {
	Kind `event:"mesh:joined"`
	Moment
	PeerID string `json:"peerId"`
	Peers  int    `json:"peers"`
}

// The kernel has lost its last peer; it goes on trying.
type PartedEvent struct {
	Kind `event:"mesh:parted"`
	Moment
	// The last one.
	PeerID string `json:"peerId"`
}

// No bootstrap node answered; `mesh:joined` may follow later.
type UnreachableEvent struct {
	Kind    `event:"mesh:unreachable"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// This machine's clock differs from the median of the peers' by more than a minute, by another minute, or no longer.
type ClockEvent struct {
	Kind `event:"clock:offset"`
	Moment
	// How far it is ahead of the median; negative: behind.
	AheadMs float64 `json:"aheadMs"`
	// How many peers' clocks are known.
	Peers int `json:"peers"`
	// From how many of them it differs by more than a minute.
	Apart int `json:"apart"`
	// Whether it differs by more than a minute.
	Wrong   bool   `json:"wrong"`
	Message string `json:"message"`
}

// A node is new, has expired, or no longer answers.
type NodeEvent struct {
	Kind `event:"node"`
	Moment
	PeerID string  `json:"peerId"`
	Name   *string `json:"name,omitempty"`
	Gone   bool    `json:"gone"`
}

// A peer connected or disconnected.
type PeerEvent struct {
	Kind `event:"peer"`
	Moment
	PeerID    string `json:"peerId"`
	Connected bool   `json:"connected"`
}

// Something of a capsule changed; unchanged fields are absent.
type CapsuleEvent struct {
	Kind `event:"capsule"`
	Moment
	ID    string  `json:"id"`
	Name  *string `json:"name,omitempty"`
	State *string `json:"state,omitempty"`
	// The state before.
	Was    *string `json:"was,omitempty"`
	Reason *string `json:"reason,omitempty"`
	// Instances before this one.
	Restarts *int `json:"restarts,omitempty"`
	// Whether another instance is started.
	Restart *bool `json:"restart,omitempty"`
	// A lifecycle command that was answered.
	Command *string `json:"command,omitempty" ts:"LifecycleCommand"`
	// The answer's code.
	Code        *string `json:"code,omitempty"`
	Congested   *bool   `json:"congested,omitempty"`
	MemoryBytes *uint64 `json:"memoryBytes,omitempty"`
	MemoryEpoch *uint32 `json:"memoryEpoch,omitempty"`
	// Memory that it requested and did not get.
	RefusedBytes *uint64 `json:"refusedBytes,omitempty"`
	MemoryLimit  *uint64 `json:"memoryLimit,omitempty"`
	// What it did not do in time, the time that it had, and whether it was killed.
	Overdue *string  `json:"overdue,omitempty" ts:"'pause'"`
	AfterMs *float64 `json:"afterMs,omitempty"`
	Killed  *bool    `json:"killed,omitempty"`
	// Its ledger can no longer pay, or can again: the action that followed.
	Credit *string `json:"credit,omitempty" ts:"'pause' | 'resume' | 'kill'"`
	Ledger *string `json:"ledger,omitempty"`
	// The error of that action, if it failed.
	Failed *string `json:"failed,omitempty"`
}

// The CapsuleRow of `id` has changed.
type HeartbeatEvent struct {
	Kind `event:"heartbeat"`
	ID   string `json:"id"`
}

// A job made progress; inos.jobs() has its JobRow.
type JobEvent struct {
	Kind `event:"job"`
	Moment
	ID    string `json:"id"`
	State string `json:"state" ts:"'rejected' | 'admitted' | 'placed' | 'running' | 'done' | 'failed' | 'cancelled'"`
	// The code of a rejection.
	Code    *string  `json:"code,omitempty"`
	Reason  *string  `json:"reason,omitempty"`
	Node    *string  `json:"node,omitempty"`
	Score   *float64 `json:"score,omitempty"`
	Attempt *int     `json:"attempt,omitempty"`
	Done    *uint64  `json:"done,omitempty"`
	// 0 when the capsule does not know.
	Total *uint64 `json:"total,omitempty"`
	// In microcredits.
	Cost *uint64 `json:"cost,omitempty"`
}

// A stream into a capsule ended.
type FedEvent struct {
	Kind `event:"fed"`
	Moment
	ID   string `json:"id"`
	Node string `json:"node"`
	// Peer id of the sender; empty for this kernel.
	From   string `json:"from"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}

// A message of the kernel to all its parts: 'mining:start', 'mining:stop', 'sensors:fidelity', 'capsule:throttled'.
type BroadcastEvent struct {
	Kind `event:"broadcast"`
	Moment
	Message string  `json:"message"`
	Reason  *string `json:"reason,omitempty"`
	ID      *string `json:"id,omitempty"`
	Jammed  *bool   `json:"jammed,omitempty"`
}
