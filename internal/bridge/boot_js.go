package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall/js"

	"inos/internal/capsule"
	"inos/internal/library"
)

// Boot is what the shell tells the kernel before it starts: BootConfig of
// web/src/rpc/protocol.ts.
type Boot struct {
	Name         string
	Bootstrap    []string
	Capabilities []string
	CreditCost   uint64 // microcredits per second
	Slots        int
	Memory       uint64 // bytes for inputs, outputs, library and snapshots; 0: the kernel's default
	Hedge        bool   // send second copies of slow jobs
	Near         string // GEOHASH:KM: distance counts
	Capsules     []BootCapsule
}

// BootCapsule is a capsule that the shell's server has.
type BootCapsule struct {
	Name, URL string
	CID       capsule.CID
}

// ReadBoot reads globalThis.__inosConfig. A config that does not parse is final.
func ReadBoot() (Boot, error) {
	v := js.Global().Get("__inosConfig")
	if v.Type() != js.TypeObject {
		return Boot{}, fmt.Errorf("bridge: the shell set no __inosConfig")
	}
	var raw struct {
		Name         string   `json:"name"`
		Bootstrap    []string `json:"bootstrap"`
		Capabilities []string `json:"capabilities"`
		CreditCost   uint64   `json:"creditCost"`
		Slots        int      `json:"slots"`
		Memory       uint64   `json:"memory"`
		Hedge        bool     `json:"hedge"`
		Near         string   `json:"near"`
		Capsules     []struct {
			Name string `json:"name"`
			URL  string `json:"url"`
			CID  string `json:"cid"`
		} `json:"capsules"`
	}
	text := js.Global().Get("JSON").Call("stringify", v).String()
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return Boot{}, fmt.Errorf("bridge: __inosConfig: %w", err)
	}
	boot := Boot{Name: raw.Name, Bootstrap: raw.Bootstrap, Capabilities: raw.Capabilities, CreditCost: raw.CreditCost, Slots: raw.Slots, Memory: raw.Memory, Hedge: raw.Hedge, Near: raw.Near}
	for _, c := range raw.Capsules {
		cid, err := capsule.ParseCID(c.CID)
		if err != nil {
			return Boot{}, fmt.Errorf("bridge: __inosConfig: capsule %q: %w", c.Name, err)
		}
		boot.Capsules = append(boot.Capsules, BootCapsule{Name: c.Name, URL: c.URL, CID: cid})
	}
	return boot, nil
}

// Fetch loads url through the browser, which caches it. Blocks until the bytes
// are there or ctx ends.
func Fetch(url string) library.Loader {
	return func(ctx context.Context) ([]byte, error) {
		// The signal ends the request and the body: both settle when ctx ends.
		aborter := js.Global().Get("AbortController").New()
		abort := func() { aborter.Call("abort") }
		response, err := await(ctx, js.Global().Call("fetch", url, map[string]any{"signal": aborter.Get("signal")}), abort)
		if err != nil {
			return nil, err
		}
		if !response.Get("ok").Bool() {
			abort() // nobody reads the body
			return nil, fmt.Errorf("%s: HTTP %d", url, response.Get("status").Int())
		}
		buffer, err := await(ctx, response.Call("arrayBuffer"), abort)
		if err != nil {
			return nil, err
		}
		return bytesFromJS("fetch", url, buffer)
	}
}
