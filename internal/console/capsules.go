package console

// One capsule that runs here.
type CapsuleRow struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	CID  string `json:"cid"`
	// starting, healthy, degraded, paused, zombie, stopped, failed
	State       string  `json:"state"`
	MemoryBytes uint64  `json:"memoryBytes"`
	MemoryEpoch uint32  `json:"memoryEpoch"`
	CPUMs       float64 `json:"cpuMs"`
	JobsDone    uint64  `json:"jobsDone"`
	Heartbeats  uint64  `json:"heartbeats"`
	// Age of the last heartbeat.
	HeartbeatAgeMs float64 `json:"heartbeatAgeMs"`
	Restarts       int     `json:"restarts"`
	Congested      bool    `json:"congested"`
	// Bytes that it emitted while nothing listened; they are lost.
	Unheard uint64 `json:"unheard"`
	// The reason of the last end.
	Reason string `json:"reason"`
}

// A capsule this kernel can spawn or send out.
type CapsuleOffer struct {
	Name  string `json:"name"`
	CID   string `json:"cid"`
	Bytes uint64 `json:"bytes"`
	// Whether its bytes are here already.
	Loaded bool `json:"loaded"`
}

// A capsule that inos.publish added.
type Published struct {
	Name  string `json:"name"`
	CID   string `json:"cid"`
	Bytes int    `json:"bytes"`
}

// The answer to a lifecycle command.
type LifecycleReply struct {
	// On another node: its peer id, a slash, and the capsule's id there. Every verb takes this form.
	CapsuleID   string `json:"capsuleId"`
	Code        string `json:"code"`
	Message     string `json:"message"`
	MemoryBytes uint64 `json:"memoryBytes"`
	MemoryEpoch uint32 `json:"memoryEpoch"`
	// Of inos.snapshot; otherwise empty.
	SnapshotCID string `json:"snapshotCid"`
}

// What a capsule answered to inos.call.
type CallResult struct {
	CapsuleID string `json:"capsuleId"`
	Output    []byte `json:"-" bytes:"output"`
	// The output as text, when it is UTF-8; otherwise hex.
	Text string `json:"text"`
	// On the capsule's node, the wait for its turn included.
	RunMs float64 `json:"runMs"`
}

// How much of a stream a capsule took.
type FeedResult struct {
	CapsuleID string `json:"capsuleId"`
	Bytes     int64  `json:"bytes"`
}
