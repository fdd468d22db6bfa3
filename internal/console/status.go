package console

// Identity of a kernel.
type KernelInfo struct {
	PeerID string `json:"peerId"`
	// The ledger this kernel's own key controls: `ledger:` and the peer id.
	LedgerID string `json:"ledgerId"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	// Whether key and ledger outlast this tab. When false, both are new and end with it; `durableReason` says why.
	Durable bool `json:"durable"`
	// Empty when durable.
	DurableReason StorageReason `json:"durableReason"`
	// The same in the browser's own words.
	DurableDetail string `json:"durableDetail"`
}

// Why key and ledger last as long as the tab: another tab of this browser has them open; the browser keeps no files
// for this page, as in a private window; it lacks what is needed; this site's storage was full at the start; or what
// is kept does not verify, and was left as it is.
type StorageReason string

const (
	StorageDurable     StorageReason = ""
	StorageSecondTab   StorageReason = "second_tab"
	StorageRefused     StorageReason = "storage_refused"
	StorageUnsupported StorageReason = "storage_unsupported"
	StorageFull        StorageReason = "storage_full"
	StorageDamaged     StorageReason = "storage_damaged"
)

// The kernel's state, as the kernel itself knows it.
type KernelStatus struct {
	KernelInfo
	// 'joined' as long as it has a peer.
	State    string  `json:"state" ts:"'ready' | 'joined'"`
	UptimeMs float64 `json:"uptimeMs"`
	// Peers connected now.
	Peers int `json:"peers"`
	// Profiles known.
	Nodes        int      `json:"nodes"`
	Capsules     int      `json:"capsules"`
	Jobs         int      `json:"jobs"`
	Capabilities []string `json:"capabilities"`
	Bootstrap    []string `json:"bootstrap"`
	// How far this machine's clock is ahead of the median of the connected peers' (negative: behind); null until one
	// has been measured.
	ClockOffsetMs *float64 `json:"clockOffsetMs"`
	// Whether this node takes jobs of other nodes: not while its user is active or its battery is low.
	Mining bool `json:"mining"`
	// How often the sensors are read; lower while a capsule is congested.
	Fidelity string `json:"fidelity"`
	// Go's heap in bytes.
	HeapBytes uint64 `json:"heapBytes"`
	// Memory for jobs, this kernel's own and others', in bytes.
	Memory MemoryUse `json:"memory"`
}

// Bytes taken of a budget before they are used; a request beyond it is refused (`node_memory`).
type MemoryUse struct {
	// Of all together. The browser bounds the capsules' own memories; they are not included.
	Limit uint64 `json:"limit"`
	// Stored capsules, and those on their way here.
	Library   uint64 `json:"library"`
	Snapshots uint64 `json:"snapshots"`
	// Of jobs and calls, on their way here and until they have run.
	Inputs uint64 `json:"inputs"`
	// Of jobs and calls of other nodes, until they are sent.
	Outputs uint64 `json:"outputs"`
}

// One node of the mesh.
type NodeRow struct {
	PeerID       string   `json:"peerId"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind" ts:"'native' | 'browser' | (string & {})"`
	Self         bool     `json:"self"`
	Connected    bool     `json:"connected"`
	Capabilities []string `json:"capabilities"`
	LatencyMs    float64  `json:"latencyMs"`
	// Microcredits per second of capsule time.
	CreditCost uint64  `json:"creditCost"`
	Score      float64 `json:"score"`
	FreeSlots  uint32  `json:"freeSlots"`
	Queue      uint32  `json:"queue"`
	GeoHash    string  `json:"geohash"`
	// Measured here, estimated from the two nodes' network coordinates, or else the node's own claim.
	LatencyFrom string  `json:"latencyFrom" ts:"'ping' | 'coordinate' | 'claim' | 'self'"`
	Addr        string  `json:"addr"`
	ExpiresInMs float64 `json:"expiresInMs"`
	// Whether it may get a job from here now, as far as the job's own requirements allow.
	Eligible bool `json:"eligible"`
	// Why not: 'cannot be dialled from here, and is not connected', 'no free slot', ... Empty when eligible.
	Reason string `json:"reason"`
}

// A node that the DHT has a provider record of.
type FoundRow struct {
	NodeRow
	// Whether it was known here before, by gossip or from an earlier lookup.
	Heard bool `json:"heard"`
}

// The node that answered inos.connect.
type Connected struct {
	PeerID string `json:"peerId"`
}
