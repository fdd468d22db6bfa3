package bridge

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/console"
	"inos/internal/credit"
	"inos/internal/mesh"
)

func eval(src string) js.Value { return js.Global().Call("eval", "("+src+")") }

func message(t *testing.T, err error) string {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, errBadArgument.Code(), codeOf(err))
	return err.Error()
}

func TestObjectNamesWhatIsWrong(t *testing.T) {
	read := func(src string) error {
		var d console.DispatchOptions
		return object("dispatch", "job", eval(src), &d)
	}
	require.NoError(t, read(`{capsule: "hash", requires: ["gpu"], priority: 255, budget: 12, input: new Uint8Array(3)}`))
	require.NoError(t, read(`undefined`))
	require.Contains(t, message(t, read(`{capsule: 7}`)), "job.capsule: expected a string, got a number")
	require.Contains(t, message(t, read(`{requires: "gpu"}`)), "job.requires: expected an array of strings, got a string")
	require.Contains(t, message(t, read(`{priority: 256}`)), "job.priority: expected an integer from 0 to 255")
	require.Contains(t, message(t, read(`{budget: -1}`)), "job.budget: expected a whole number of microcredits from 1 to")
	require.Contains(t, message(t, read(`{budget: 1.5}`)), "job.budget")
	require.Contains(t, message(t, read(`{capsul: "hash"}`)), `job has no field "capsul"; its fields are agree, args, budget, capsule, creditLedgerId`)
	require.Contains(t, message(t, read(`[1]`)), "expected an object, got an array")
	require.Contains(t, message(t, read(`42`)), "expected an object, got a number")
}

func TestBytesComeInEveryShape(t *testing.T) {
	for src, want := range map[string]string{
		`"héllo"`:                                       "héllo",
		`new Uint8Array([65, 66])`:                      "AB",
		`new Uint8Array([65, 66, 67]).buffer`:           "ABC",
		`new Uint8Array([65, 66, 67]).subarray(1)`:      "BC",
		`new DataView(new Uint8Array([65, 66]).buffer)`: "AB",
		`undefined`: "",
		`null`:      "",
	} {
		got, err := bytesFromJS("dispatch", "job.input", eval(src))
		require.NoError(t, err, src)
		require.Equal(t, want, string(got), src)
	}
	for _, src := range []string{`42`, `true`, `{}`, `[1, 2]`} {
		_, err := bytesFromJS("dispatch", "job.input", eval(src))
		require.Contains(t, message(t, err), "expected a string, Uint8Array or ArrayBuffer", src)
	}
}

// settle waits for a Promise of the bridge from the test's goroutine.
func settle(t *testing.T, promise js.Value) (value js.Value, code string) {
	t.Helper()
	done := make(chan struct{})
	ok := js.FuncOf(func(_ js.Value, args []js.Value) any {
		value = args[0]
		close(done)
		return nil
	})
	bad := js.FuncOf(func(_ js.Value, args []js.Value) any {
		value, code = args[0], args[0].Get("code").String()
		close(done)
		return nil
	})
	defer ok.Release()
	defer bad.Release()
	promise.Call("then", ok, bad)
	<-done
	return value, code
}

func TestPromisesSettleOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := newPromises(ctx)
	v, code := settle(t, p.start(new(atomic.Int64), func(context.Context) (any, error) {
		return console.CallResult{RunMs: 5, Output: []byte{1, 2, 3}}, nil
	}))
	require.Empty(t, code)
	require.Equal(t, 5, v.Get("runMs").Int())
	require.Equal(t, 3, v.Get("output").Length())

	for want, err := range map[string]error{
		"unknown_verb":   &Error{errUnknownVerb, "m"},
		"voucher_forged": credit.ErrVoucherForged,
		"unreachable":    mesh.ErrUnreachable,
		"deadline":       context.DeadlineExceeded,
		"internal":       errors.New("anything"),
	} {
		e, code := settle(t, p.start(new(atomic.Int64), func(context.Context) (any, error) { return nil, err }))
		require.Equal(t, want, code)
		require.Equal(t, "InosError", e.Get("name").String())
		require.Equal(t, err.Error(), e.Get("message").String())
	}

	_, code = settle(t, p.start(new(atomic.Int64), func(context.Context) (any, error) {
		return js.Global().Call("eval", "null.boom"), nil
	}))
	require.Equal(t, errJavaScript.Code(), code, "an exception of JavaScript is an error here")
	_, code = settle(t, p.start(new(atomic.Int64), func(context.Context) (any, error) { return js.Undefined().Get("boom"), nil }))
	require.Equal(t, errBadArgument.Code(), code, "so is what is no object")

	ended := false
	blocked := p.start(new(atomic.Int64), func(ctx context.Context) (any, error) {
		<-ctx.Done()
		ended = true
		return nil, ctx.Err()
	})
	cancel()
	p.work.Wait()
	require.True(t, ended, "Serve waits for what was under way")
	_, code = settle(t, blocked)
	require.Equal(t, errClosed.Code(), code, "what was pending is rejected")
	_, code = settle(t, p.start(new(atomic.Int64), func(context.Context) (any, error) { return nil, nil }))
	require.Equal(t, errClosed.Code(), code)
}

func TestAVerbThatIsFullKeepsNoOtherOut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := newAPI(ctx, Config{})
	a.verbs["dispatch"].run = func(ctx context.Context, _ []js.Value) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.verbs["cancel"].run = func(context.Context, []js.Value) (any, error) { return "cancelled", nil }
	for range maxPending {
		a.call("dispatch", nil).Call("catch", js.Global().Get("String"))
	}
	_, code := settle(t, a.call("dispatch", nil))
	require.Equal(t, errTooManyCalls.Code(), code)
	for range 442 {
		v, code := settle(t, a.call("cancel", nil))
		require.Empty(t, code)
		require.Equal(t, "cancelled", v.String())
	}
	cancel()
	a.promises.work.Wait()
}

func TestAwaitGivesACode(t *testing.T) {
	_, err := await(t.Context(), eval(`Promise.reject(new TypeError("no"))`), nil)
	require.Equal(t, errJavaScript.Code(), codeOf(err))
	require.EqualError(t, err, "TypeError: no")
}

// A fetch that is never answered ends with its context, and is ended in the browser.
func TestFetchEndsWithItsContext(t *testing.T) {
	js.Global().Set("fetch", eval(`(url, { signal }) => {
		globalThis.fetched = signal;
		return new Promise((_, reject) => { signal.addEventListener("abort", () => { reject(signal.reason) }) });
	}`))
	defer js.Global().Delete("fetched")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Fetch("hash.wasm")(ctx)
		ended <- err
	}()
	runtime.Gosched()
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.True(t, js.Global().Get("fetched").Get("aborted").Bool())
}

func TestUnknownVerb(t *testing.T) {
	a := newAPI(t.Context(), Config{})
	e, code := settle(t, a.call("fly", nil))
	require.Equal(t, errUnknownVerb.Code(), code)
	require.Contains(t, e.Get("message").String(), "the verbs are call, cancel, capsules, catalog, close, connect, dispatch")
	require.NotContains(t, e.Get("message").String(), ":open", "not for people")
	e, code = settle(t, a.call("spawn", nil))
	require.Equal(t, errBadArgument.Code(), code)
	require.Equal(t, "spawn: nameOrCid: expected a non-empty string, got nothing", e.Get("message").String())
}
