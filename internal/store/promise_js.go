package store

import (
	"errors"
	"fmt"
	"syscall/js"
)

// refused is what the browser threw or rejected with, as an error of this package: a
// full quota matches ErrSpace, everything else ErrRefused.
func refused(what string, err error) error {
	as, name := ErrRefused, domName(err)
	if name == "QuotaExceededError" {
		as = ErrSpace
	}
	if name != "" {
		what += ": " + name
	}
	return fmt.Errorf("%w: %s: %w", as, what, err)
}

// domName is the name of the exception that err carries, empty if it carries none.
func domName(err error) string {
	var e js.Error
	if !errors.As(err, &e) || e.Value.Type() != js.TypeObject {
		return ""
	}
	name := e.Value.Get("name")
	if name.Type() != js.TypeString {
		return ""
	}
	return name.String()
}

// invoke calls a method; what JavaScript throws is returned, as refused says.
func invoke(v js.Value, method string, args ...any) (result js.Value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case js.Error:
			err = refused(method, r)
		case *js.ValueError: // no object where the standard has one
			err = refused(method, r)
		case string: // no function where it has one
			err = refused(method, errors.New(r))
		default:
			panic(r)
		}
	}()
	return v.Call(method, args...), nil
}

// call invokes a method and waits for the promise it returns.
func call(v js.Value, method string, args ...any) (js.Value, error) {
	p, err := invoke(v, method, args...)
	if err != nil {
		return js.Value{}, err
	}
	if v, err = await(p); err != nil {
		return js.Value{}, refused(method, err)
	}
	return v, nil
}

// await blocks the goroutine until p settles.
func await(p js.Value) (js.Value, error) {
	type settled struct {
		value js.Value
		err   error
	}
	done := make(chan settled, 1)
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{value: args[0]}
		return nil
	})
	defer then.Release()
	catch := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{err: js.Error{Value: args[0]}}
		return nil
	})
	defer catch.Release()
	js.Global().Get("Promise").Call("resolve", p).Call("then", then, catch)
	s := <-done
	return s.value, s.err
}
