package console

// What the kernel needs to know to start: /inos.json, with what the page adds. URLs are relative
// to it there, and absolute once the page has read it.
type BootConfig struct {
	// Where kernel.wasm lies.
	Kernel string `json:"kernel"`
	Name   string `json:"name,omitempty"`
	// Multiaddrs with certificate hashes.
	Bootstrap []string `json:"bootstrap"`
	// What this node offers to jobs; what the browser has when absent.
	Capabilities []string `json:"capabilities,omitempty"`
	// Microcredits per second of capsule time.
	CreditCost uint64 `json:"creditCost,omitempty" of:"microcredits"`
	// Jobs of other nodes that may run at a time; the kernel's default when absent.
	Slots int `json:"slots,omitempty"`
	// Bytes for inputs, outputs, library and snapshots; the kernel's default when absent.
	Memory uint64 `json:"memory,omitempty" of:"bytes"`
	// A second copy of a job goes out when the first takes unusually long; both may have to be paid.
	Hedge bool `json:"hedge,omitempty"`
	// GEOHASH:KM: a node so far away from there scores half.
	Near string `json:"near,omitempty"`
	// The capsules that the page's server has.
	Capsules []BootCapsule `json:"capsules"`
}

// A capsule that the page's server has.
type BootCapsule struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	CID   string `json:"cid"`
	Bytes uint64 `json:"bytes" of:"bytes"`
}

// What only the page can see: the kernel pauses volunteer work by it.
type HostSample struct {
	// Milliseconds since the last key, pointer or touch.
	IdleMs float64 `json:"idleMs"`
	Hidden bool    `json:"hidden"`
	// 0 to 1; null where the browser does not say.
	Battery  *float64 `json:"battery"`
	Charging *bool    `json:"charging"`
}
