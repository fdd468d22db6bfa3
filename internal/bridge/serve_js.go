package bridge

import (
	"context"
	"fmt"
	"syscall/js"
	"time"

	"inos/internal/console"
	"inos/internal/fault"
	"inos/internal/kernel"
	"inos/internal/threads/watcher"
)

// eventBuffer is how many events wait for the page; further ones are dropped and counted.
const eventBuffer = 4096

// Serve puts the console API on the Worker's global scope, reports the kernel as ready and blocks
// until ctx ends. It then removes the API and waits for the calls under way, which reject as
// kernel_closed like later ones: the kernel must end with ctx too.
func Serve(ctx context.Context, cfg Config) {
	a := newAPI(ctx, cfg)
	sink := &sink{}
	call := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if len(args) == 0 || args[0].Type() != js.TypeString {
			return a.promises.rejected(badArgument("call", "verb", "a string", kindOf(arg(args, 0))))
		}
		var rest []js.Value
		if list := arg(args, 1); list.Type() == js.TypeObject {
			for i := range list.Length() {
				rest = append(rest, list.Index(i))
			}
		}
		return a.call(args[0].String(), rest)
	})
	onEvent := js.FuncOf(func(_ js.Value, args []js.Value) any {
		sink.to = arg(args, 0)
		return nil
	})
	sense := js.FuncOf(func(_ js.Value, args []js.Value) any {
		a.sense(arg(args, 0))
		return nil
	})
	defer call.Release()
	defer onEvent.Release()
	defer sense.Release()

	events, cancel := cfg.Kernel.Subscribe(eventBuffer)
	defer cancel()
	global := js.Global()
	global.Set("__inos", map[string]any{"call": call, "onEvent": onEvent, "sense": sense})
	defer global.Delete("__inos")

	if ready := global.Get("__inosReady"); ready.Type() == js.TypeFunction {
		if info, err := a.promises.value(a.info(cfg.Name)); err == nil { // it is plain data
			ready.Invoke(info)
		}
	}
	// The page is subscribed now: it gets the events of joining.
	joined := make(chan error, 1)
	a.promises.work.Go(func() { joined <- cfg.Join(ctx) })
	for {
		select {
		case e := <-events:
			sink.send(viewEvent(e, func() int { return a.peers(ctx) }))
		case id := <-cfg.Heartbeats:
			sink.send(viewHeartbeat(id))
		case err := <-joined:
			if err == nil && len(cfg.Bootstrap) == 0 {
				err = fmt.Errorf("%w: this page names no node to start from", kernel.ErrBootstrap)
			}
			if err != nil && a.peers(ctx) == 0 { // otherwise another peer was found
				sink.send(viewUnreachable(err))
			}
		case <-ctx.Done():
			a.streams.end()
			a.promises.work.Wait()
			return
		}
	}
}

// peers counts the connected peers.
func (a *api) peers(ctx context.Context) int {
	s, _ := a.cfg.Kernel.Status(ctx) // without an answer there is no peer
	return s.Peers
}

// sink hands events to the page's callback, once that is set. Earlier events are lost: the page
// asks for the state when it subscribes.
type sink struct{ to js.Value }

func (s *sink) send(e console.Event) {
	if e == nil || s.to.Type() != js.TypeFunction {
		return
	}
	text, err := console.Encode(e)
	if err != nil {
		return
	}
	s.to.Invoke(js.Global().Get("JSON").Call("parse", string(text)))
}

// sense takes in one host sample of the page. It ignores a value of another shape: samples come a
// few times a second.
func (a *api) sense(v js.Value) {
	var s console.HostSample
	if object("sense", "sample", v, &s) != nil {
		return
	}
	now := time.Now()
	a.signal(watcher.Activity{At: now.Add(-time.Duration(s.IdleMs * float64(time.Millisecond)))})
	a.signal(watcher.Visibility{Visible: !s.Hidden})
	if s.Battery != nil {
		a.signal(watcher.Battery{Level: *s.Battery, Charging: s.Charging != nil && *s.Charging})
	}
}

// signal hands on one signal. One with an impossible figure is the page's error, and is ignored
// like any other bad sample.
func (a *api) signal(s watcher.Signal) { _ = a.cfg.Kernel.Signal(s) }

// errorValue is err as a JavaScript Error of name InosError with a stable code.
func errorValue(err error) js.Value {
	v := js.Global().Get("Error").New(err.Error())
	e := fault.Find(err)
	v.Set("name", "InosError")
	v.Set("code", e.Code())
	v.Set("retryable", e.Retryable())
	return v
}
