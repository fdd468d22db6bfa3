package jsinterop

import "syscall/js"

// Uint8Array copies b to JavaScript.
func Uint8Array(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

// Bytes copies an ArrayBuffer, or any view on a buffer, to Go; false when v is neither.
func Bytes(v js.Value) ([]byte, bool) {
	if v.Type() != js.TypeObject {
		return nil, false
	}
	array := js.Global().Get("Uint8Array")
	var a js.Value
	switch buffer := v.Get("buffer"); {
	case v.InstanceOf(js.Global().Get("ArrayBuffer")):
		a = array.New(v)
	case buffer.Type() == js.TypeObject && v.Get("byteLength").Type() == js.TypeNumber:
		a = array.New(buffer, v.Get("byteOffset"), v.Get("byteLength"))
	default:
		return nil, false
	}
	b := make([]byte, a.Length())
	js.CopyBytesToGo(b, a)
	return b, true
}
