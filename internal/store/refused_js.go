package store

import (
	"context"
	"fmt"
	"syscall/js"

	"inos/internal/jsinterop"
)

// refused turns what the browser threw or rejected with into an error of this package: a full
// quota matches ErrSpace, everything else ErrRefused.
func refused(what string, err error) error {
	as := ErrRefused
	if jsinterop.NameOf(err) == "QuotaExceededError" {
		as = ErrSpace
	}
	return fmt.Errorf("%w: %s: %w", as, what, err)
}

// invoke calls a method. What JavaScript throws is returned as refused returns it.
func invoke(v js.Value, method string, args ...any) (js.Value, error) {
	result, err := jsinterop.Call(v, method, args...)
	if err != nil {
		return js.Value{}, refused(method, err)
	}
	return result, nil
}

// call invokes a method and waits for the promise it returns.
func call(v js.Value, method string, args ...any) (js.Value, error) {
	p, err := invoke(v, method, args...)
	if err != nil {
		return js.Value{}, err
	}
	if v, err = jsinterop.Await(context.Background(), p, nil); err != nil {
		return js.Value{}, refused(method, err)
	}
	return v, nil
}
