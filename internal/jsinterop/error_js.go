package jsinterop

import (
	"errors"
	"fmt"
	"strings"
	"syscall/js"
)

// Error is an exception of JavaScript, or the reason of a rejection.
type Error struct {
	Name    string // of an Error or a DOMException, such as "QuotaExceededError"; otherwise empty
	Message string
}

// Error implements error in the form of JavaScript's String(e).
func (e *Error) Error() string {
	if e.Name == "" || e.Message == "" {
		return e.Name + e.Message
	}
	return e.Name + ": " + e.Message
}

// Reason reads an exception, or the reason of a rejection. It may be any value.
func Reason(v js.Value) *Error {
	e := &Error{Name: Text(v, "name"), Message: Text(v, "message")}
	if e.Name != "" || e.Message != "" {
		return e
	}
	// String throws on an object without a prototype.
	if Try(func() { e.Message = js.Global().Call("String", v).String() }) != nil {
		e.Message = v.String()
	}
	return e
}

// NameOf is the name of the exception that err carries, empty if it carries none.
func NameOf(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Name
	}
	return ""
}

// Text is v's property when v is an object and the property a string; otherwise empty.
func Text(v js.Value, property string) string {
	if v.Type() != js.TypeObject {
		return ""
	}
	if text := v.Get(property); text.Type() == js.TypeString {
		return text.String()
	}
	return ""
}

// Try calls f and returns what JavaScript threw in it, as an *Error. Access to a property of a
// value that is no object matches *js.ValueError. Other panics continue.
func Try(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case js.Error:
			err = Reason(r.Value)
		case *js.ValueError:
			err = fmt.Errorf("JavaScript has no object where one is due: %w", r)
		case string:
			if !strings.HasPrefix(r, "syscall/js: ") {
				panic(r)
			}
			err = fmt.Errorf("JavaScript has no function where one is due: %s", r)
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// Call calls a method of v, in Try.
func Call(v js.Value, method string, args ...any) (result js.Value, err error) {
	err = Try(func() { result = v.Call(method, args...) })
	return result, err
}
