package console

// One job, past or running.
type JobRow struct {
	ID          string  `json:"id"`
	Capsule     string  `json:"capsule"`
	Method      string  `json:"method"`
	State       string  `json:"state" ts:"'queued' | 'placed' | 'done' | 'failed' | 'cancelled' | (string & {})"`
	Node        string  `json:"node"`
	NodeName    string  `json:"nodeName"`
	Score       float64 `json:"score"`
	InputBytes  uint64  `json:"inputBytes"`
	OutputBytes uint64  `json:"outputBytes"`
	// In microcredits.
	Cost    uint64  `json:"cost"`
	TotalMs float64 `json:"totalMs"`
	Reason  string  `json:"reason"`
}

// One node, as the scheduler saw it at the choice.
type Considered struct {
	PeerID       string   `json:"peerId"`
	Name         string   `json:"name"`
	Capabilities []string `json:"capabilities"`
	LatencyMs    float64  `json:"latencyMs"`
	// Microcredits per second of capsule time.
	CreditCost uint64 `json:"creditCost"`
	// 0 when a hard requirement ruled the node out.
	Score    float64 `json:"score"`
	Eligible bool    `json:"eligible"`
	Chosen   bool    `json:"chosen"`
	// Why it was or was not chosen: 'misses capabilities', 'highest score', ...
	Reason string `json:"reason"`
	// Every part of the score, in words; empty for a node that was ruled out.
	Parts string `json:"parts"`
}

// How a job ended.
type DispatchResult struct {
	JobID    string `json:"jobId"`
	Node     string `json:"node"`
	NodeName string `json:"nodeName"`
	// True when it ran in this browser.
	Local      bool         `json:"local"`
	Score      float64      `json:"score"`
	Considered []Considered `json:"considered"`
	// Why it ran on that node.
	Why    string `json:"why"`
	Output []byte `json:"-" bytes:"output"`
	// The output as text, when it is UTF-8; otherwise hex.
	Text      string `json:"text"`
	OutputCID string `json:"outputCid"`
	// In microcredits, for all runs that were paid.
	Cost uint64 `json:"cost"`
	// True when the node's signed receipt was checked and settled.
	Paid bool `json:"paid"`
	// Bytes of capsule that were transferred for this job.
	CapsuleBytes uint64  `json:"capsuleBytes"`
	Attempts     int     `json:"attempts"`
	QueuedMs     float64 `json:"queuedMs"`
	RunMs        float64 `json:"runMs"`
	TotalMs      float64 `json:"totalMs"`
}

// The job that inos.cancel ended.
type Cancelled struct {
	JobID string `json:"jobId"`
}

// Why a job runs, ran or waits where it does.
type Explanation struct {
	JobID      string       `json:"jobId"`
	Chosen     string       `json:"chosen"`
	Summary    string       `json:"summary"`
	Considered []Considered `json:"considered"`
}

// Why governance admitted a job or rejected it.
type DecisionRow struct {
	JobID    string `json:"jobId"`
	Admitted bool   `json:"admitted"`
	Rule     string `json:"rule"`
	// Empty when admitted.
	Code          string `json:"code"`
	Detail        string `json:"detail"`
	PolicyVersion uint64 `json:"policyVersion"`
	// RFC 3339.
	At     string `json:"at"`
	Ledger string `json:"ledger"`
	// Peer id of the sender; empty for this console.
	From string `json:"from"`
}

// One step of a job, on one node.
type SpanRow struct {
	Name string `json:"name"`
	Node string `json:"node"`
	// Counted from the first span.
	StartMs    float64 `json:"startMs"`
	DurationMs float64 `json:"durationMs"`
	Code       string  `json:"code"`
	// W3C trace id: the same on every node.
	Trace  string `json:"trace"`
	Span   string `json:"span"`
	Parent string `json:"parent"`
}
