package console

// The boot configuration of the kernel: /inos.json, with the page's additions. Its URLs are relative to /inos.json,
// and absolute once the page has read it.
type BootConfig struct {
	// The URL of kernel.wasm.
	Kernel string `json:"kernel"`
	Name   string `json:"name,omitempty"`
	// Multiaddrs with certificate hashes.
	Bootstrap []string `json:"bootstrap"`
	// The capabilities that this node offers to jobs; those of the browser when absent.
	Capabilities []string `json:"capabilities,omitempty"`
	// Microcredits per second of capsule time.
	CreditCost uint64 `json:"creditCost,omitempty" of:"microcredits"`
	// Jobs of other nodes that may run at a time; the kernel's default when absent.
	Slots int `json:"slots,omitempty"`
	// Bytes for inputs, outputs, library and snapshots; the kernel's default when absent.
	Memory uint64 `json:"memory,omitempty" of:"bytes"`
	// Sends a second copy of a job when the first takes unusually long; both may have to be paid.
	Hedge bool `json:"hedge,omitempty"`
	// GEOHASH:KM: a node KM away from GEOHASH scores half.
	Near string `json:"near,omitempty"`
	// The capsules on the page's server.
	Capsules []BootCapsule `json:"capsules"`
}

// A capsule on the page's server.
type BootCapsule struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	CID   string `json:"cid"`
	Bytes uint64 `json:"bytes" of:"bytes"`
}

// What only the page can observe; the kernel pauses volunteer work by it.
type HostSample struct {
	// Milliseconds since the last key, pointer or touch.
	IdleMs float64 `json:"idleMs"`
	Hidden bool    `json:"hidden"`
	// 0 to 1; null where the browser does not tell.
	Battery  *float64 `json:"battery"`
	Charging *bool    `json:"charging"`
}
