package webtransport

import (
	"fmt"
	"syscall/js"
)

// explainLocal adds to err, of a dial that failed, what is known of the browser's keeping
// this page from the local network: for the page such a dial looks like any other that
// failed, only the console tells. Where the permission is denied it is that; where it has
// not been answered, on a page that is not local itself, it may be.
// Chromium 156 lets a page of the local network reach this machine unasked.
func (t *Transport) explainLocal(host string, err error) error {
	need := permissionFor(host)
	if need == "" {
		return err
	}
	page := js.Global().Get("location").Get("hostname")
	state := t.permission(need)
	if state == "" {
		state = t.permission(allLocal)
	}
	switch {
	case state == "denied":
		return fmt.Errorf("%w: its permission %q is denied: allow local network access for this site in the browser's site settings and reload, or open the page from that machine: %w", ErrLocalNetwork, need, err)
	case state == "prompt" && page.Type() == js.TypeString && permissionFor(page.String()) == "":
		return fmt.Errorf("%w unless its user allows it: answer the browser's question about the local network, or allow it in the site settings, and reload: %w", ErrLocalNetwork, err)
	}
	return err
}

// permission is the state of a permission, empty where the browser does not know it.
func (t *Transport) permission(name string) string {
	promise, err := try(func() js.Value {
		return js.Global().Get("navigator").Get("permissions").Call("query", map[string]any{"name": name})
	})
	if err != nil {
		return ""
	}
	answer := make(chan string, 1)
	t.promises.once(promise, func(ok bool, v js.Value) {
		if ok && v.Type() == js.TypeObject && v.Get("state").Type() == js.TypeString {
			answer <- v.Get("state").String()
			return
		}
		answer <- "" // no such permission here
	})
	return <-answer // browsers answer at once
}
