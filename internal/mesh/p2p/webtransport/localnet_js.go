package webtransport

import (
	"fmt"
	"syscall/js"

	"inos/internal/jsinterop"
)

// explainLocal adds to err, of a failed dial, whether the browser keeps this page from the local
// network. To the page such a dial looks like any other failed one; only the console tells. A
// denied permission is the cause. A permission that has not been answered, on a page that is not
// local itself, may be the cause. Chromium 156 lets a page of the local network reach this machine
// without asking.
func (t *Transport) explainLocal(host string, err error) error {
	need := permissionFor(host)
	if need == "" {
		return err
	}
	page := jsinterop.Text(js.Global().Get("location"), "hostname")
	state := t.permission(need)
	if state == "" {
		state = t.permission(allLocal)
	}
	switch {
	case state == "denied":
		return fmt.Errorf("%w: its permission %q is denied: allow local network access for this site in the browser's site settings and reload, or open the page from that machine: %w", ErrLocalNetwork, need, err)
	case state == "prompt" && page != "" && permissionFor(page) == "":
		return fmt.Errorf("%w unless its user allows it: answer the browser's question about the local network, or allow it in the site settings, and reload: %w", ErrLocalNetwork, err)
	}
	return err
}

// permission is the state of a permission, empty where the browser does not know it.
func (t *Transport) permission(name string) string {
	var promise js.Value
	if jsinterop.Try(func() {
		promise = js.Global().Get("navigator").Get("permissions").Call("query", map[string]any{"name": name})
	}) != nil {
		return ""
	}
	answer := make(chan string, 1)
	t.callbacks.Then(promise, func(_ bool, v js.Value) {
		answer <- jsinterop.Text(v, "state") // a rejection has none: there is no such permission here
	})
	return <-answer // browsers answer at once
}
