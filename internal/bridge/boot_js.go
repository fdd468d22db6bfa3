package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall/js"

	"inos/internal/console"
	"inos/internal/library"
)

// ReadBoot reads globalThis.__inosConfig. The error of a config that does not parse is final.
func ReadBoot() (console.BootConfig, error) {
	var boot console.BootConfig
	v := js.Global().Get("__inosConfig")
	if v.Type() != js.TypeObject {
		return boot, fmt.Errorf("bridge: the shell set no __inosConfig")
	}
	text := js.Global().Get("JSON").Call("stringify", v).String()
	if err := json.Unmarshal([]byte(text), &boot); err != nil {
		return boot, fmt.Errorf("bridge: __inosConfig: %w", err)
	}
	return boot, nil
}

// Fetch loads url through the browser, which caches it. It blocks until the bytes are there or ctx
// ends.
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
			abort() // the body is not read
			return nil, fmt.Errorf("%s: HTTP %d", url, response.Get("status").Int())
		}
		buffer, err := await(ctx, response.Call("arrayBuffer"), abort)
		if err != nil {
			return nil, err
		}
		return bytesFromJS("fetch", url, buffer)
	}
}
