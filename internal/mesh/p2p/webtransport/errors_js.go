package webtransport

import (
	"syscall/js"

	"github.com/libp2p/go-libp2p/core/network"
)

// streamErrors makes the WebTransportErrors that carry a code to the peer. The
// constructor's arguments changed between drafts: which form this browser takes
// is found out once.
type streamErrors struct {
	class   js.Value
	newForm bool // (message, {streamErrorCode}) instead of ({message, streamErrorCode})
	works   bool
}

func newStreamErrors() streamErrors {
	e := streamErrors{class: js.Global().Get("WebTransportError")}
	if e.class.Type() != js.TypeFunction {
		return e
	}
	const probe = 7
	for _, form := range []bool{true, false} {
		e.newForm = form
		v, err := try(func() js.Value { return e.make(probe) })
		if err != nil {
			continue
		}
		if got := v.Get("streamErrorCode"); got.Type() == js.TypeNumber && got.Int() == probe {
			e.works = true
			return e
		}
	}
	return e
}

func (e streamErrors) make(code uint32) js.Value {
	options := map[string]any{"streamErrorCode": code, "message": "reset"}
	if e.newForm {
		return e.class.New("reset", options)
	}
	return e.class.New(options)
}

// streamError is the reason to abort or cancel with; undefined, which means code
// 0, where the browser has no such class.
func (t *Transport) streamError(code network.StreamErrorCode) js.Value {
	if !t.errors.works {
		return js.Undefined()
	}
	v, err := try(func() js.Value { return t.errors.make(uint32(code)) })
	if err != nil {
		return js.Undefined()
	}
	if got := v.Get("streamErrorCode"); got.Type() != js.TypeNumber || got.Float() != float64(code) {
		// This browser's codes are bytes, and a cut code would be another code.
		return js.Undefined()
	}
	return v
}
