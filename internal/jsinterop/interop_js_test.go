package jsinterop

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"
)

func eval(src string) js.Value { return js.Global().Call("eval", "("+src+")") }

// Whatever JavaScript throws or rejects with is an error that says it.
func TestAnythingCanBeAReason(t *testing.T) {
	for src, want := range map[string]Error{
		`new TypeError("no")`:                       {Name: "TypeError", Message: "no"},
		`new DOMException("full", "QuotaExceeded")`: {Name: "QuotaExceeded", Message: "full"},
		`new RangeError()`:                          {Name: "RangeError"},
		`{message: "only"}`:                         {Message: "only"},
		`"text"`:                                    {Message: "text"},
		`undefined`:                                 {Message: "undefined"},
		`7`:                                         {Message: "7"},
		`[1, 2]`:                                    {Message: "1,2"},
		`{name: 1, message: {}}`:                    {Message: "[object Object]"},
		`Object.create(null)`:                       {Message: "<object>"},
	} {
		thrown := js.Global().Get("Function").New("thrown", "throw thrown")
		require.Equal(t, want, *Reason(eval(src)), src)
		err := Try(func() { thrown.Invoke(eval(src)) })
		require.Equal(t, &want, err, "%s", src)
		_, err = Await(t.Context(), js.Global().Get("Promise").Call("reject", eval(src)), nil)
		require.Equal(t, &want, err, "%s", src)
	}
	require.Equal(t, "TypeError: no", (&Error{Name: "TypeError", Message: "no"}).Error())
	require.Equal(t, "TypeError", (&Error{Name: "TypeError"}).Error())
	require.Equal(t, "no", (&Error{Message: "no"}).Error())
	require.Equal(t, "TypeError", NameOf(fmt.Errorf("wrapped: %w", &Error{Name: "TypeError"})))
	require.Empty(t, NameOf(errors.New("another")))
}

func TestTryCatchesWhatJavaScriptRaises(t *testing.T) {
	require.NoError(t, Try(func() {}))
	var wrong *js.ValueError
	require.ErrorAs(t, Try(func() { js.Undefined().Get("x") }), &wrong)
	_, err := Call(js.Global().Get("nothing"), "x")
	require.ErrorAs(t, err, &wrong)
	_, err = Call(eval(`{x: 1}`), "x")
	require.ErrorContains(t, err, "property x is not a function, got number")
	v, err := Call(eval(`{x: (n) => n + 1}`), "x", 1)
	require.NoError(t, err)
	require.Equal(t, 2, v.Int())
	require.PanicsWithValue(t, "ours", func() { _ = Try(func() { panic("ours") }) }, "a panic of Go code goes on")
	require.Panics(t, func() { _ = Try(func() { panic(errors.New("ours")) }) })
}

func TestText(t *testing.T) {
	require.Equal(t, "b", Text(eval(`{a: "b"}`), "a"))
	for _, src := range []string{`{a: 1}`, `{}`, `undefined`, `null`, `"a"`} {
		require.Empty(t, Text(eval(src), "a"), src)
	}
}

func TestAwait(t *testing.T) {
	v, err := Await(t.Context(), eval(`Promise.resolve(7)`), nil)
	require.NoError(t, err)
	require.Equal(t, 7, v.Int())
	v, err = Await(t.Context(), js.ValueOf(8), nil)
	require.NoError(t, err)
	require.Equal(t, 8, v.Int(), "no promise")

	// One whose context ends is aborted, and waits until the promise has settled.
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the cause")
	cancel(cause)
	promise, _, reject := NewPromise()
	aborted := false
	_, err = Await(ctx, promise, func() {
		aborted = true
		reject.Invoke("aborted")
	})
	require.ErrorIs(t, err, cause)
	require.True(t, aborted)
}

func TestNewPromise(t *testing.T) {
	promise, resolve, reject := NewPromise()
	resolve.Invoke("first")
	reject.Invoke("second")
	v, err := Await(t.Context(), promise, nil)
	require.NoError(t, err)
	require.Equal(t, "first", v.String())
}

func TestBytesComeInEveryShape(t *testing.T) {
	for src, want := range map[string]string{
		`new Uint8Array([65, 66])`:                      "AB",
		`new Uint8Array([65, 66, 67]).buffer`:           "ABC",
		`new Uint8Array([65, 66, 67]).subarray(1)`:      "BC",
		`new DataView(new Uint8Array([65, 66]).buffer)`: "AB",
		`new Uint16Array([0x4241])`:                     "AB",
		`new Uint8Array(new SharedArrayBuffer(2))`:      "\x00\x00",
		`new ArrayBuffer(0)`:                            "",
	} {
		got, ok := Bytes(eval(src))
		require.True(t, ok, src)
		require.Equal(t, want, string(got), src)
	}
	for _, src := range []string{`42`, `"AB"`, `null`, `undefined`, `{}`, `[1, 2]`, `{buffer: {}}`} {
		_, ok := Bytes(eval(src))
		require.False(t, ok, src)
	}
	got, ok := Bytes(Uint8Array([]byte("there and back")))
	require.True(t, ok)
	require.Equal(t, "there and back", string(got))
}

// Every promise calls its function once, and the two js.Func values are released with the
// last one after Close.
func TestCallbacks(t *testing.T) {
	c := NewCallbacks()
	type result struct {
		ok bool
		v  int
	}
	results := make(chan result, 3)
	hear := func(ok bool, v js.Value) { results <- result{ok, v.Int()} }
	c.Then(eval(`Promise.resolve(1)`), hear)
	require.Equal(t, result{true, 1}, <-results)
	c.Then(eval(`Promise.reject(2)`), hear)
	require.Equal(t, result{false, 2}, <-results)
	waiting, inFlight := c.Pending()
	require.Zero(t, waiting)
	require.Zero(t, inFlight)

	promise, resolve, _ := NewPromise()
	c.Then(promise, hear)
	require.True(t, c.Acquire())
	c.Close()
	require.False(t, c.Acquire(), "it is closing")
	waiting, inFlight = c.Pending()
	require.Equal(t, 1, waiting)
	require.Equal(t, 2, inFlight, "a promise, and who acquired")
	resolve.Invoke(3)
	require.Equal(t, result{true, 3}, <-results, "what was under way is heard of")
	require.False(t, c.released, "somebody may still wait for promises of his own")
	c.Then(eval(`Promise.resolve(4)`), hear)
	require.Equal(t, result{true, 4}, <-results)
	c.Release()
	require.True(t, c.released)

	late := eval(`Promise.reject(5)`)
	c.Then(late, hear)
	_, err := Await(t.Context(), late, nil)
	require.Error(t, err)
	require.Empty(t, results, "nobody is called any more")
	waiting, inFlight = c.Pending()
	require.Zero(t, waiting)
	require.Zero(t, inFlight)
}
