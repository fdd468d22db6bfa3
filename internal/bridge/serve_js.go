package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall/js"
	"time"

	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/threads/watcher"
)

// eventBuffer is how many events wait for the page; past it they are dropped and
// counted.
const eventBuffer = 4096

// Serve puts the console API on the Worker's global scope, says that the kernel
// is ready and blocks until ctx ends. It then takes the API away again; calls
// made later are rejected as kernel_closed.
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
		ready.Invoke(map[string]any{
			"peerId": string(cfg.Kernel.Self()), "ledgerId": string(cfg.Wallet.Ledger()), "name": cfg.Name, "version": cfg.Version,
		})
	}
	// The page listens now: what comes of joining reaches it.
	joined := make(chan error, 1)
	go func() { joined <- cfg.Join(ctx) }()
	for {
		select {
		case e := <-events:
			sink.send(a.eventView(ctx, e))
		case id := <-cfg.Heartbeats:
			sink.send(map[string]any{"type": "heartbeat", "id": id})
		case err := <-joined:
			if err != nil {
				sink.send(map[string]any{"type": "mesh:unreachable", "code": codeOf(err), "message": err.Error()})
			}
		case <-ctx.Done():
			return
		}
	}
}

// sink hands events to the page's callback, once it has set one. Events before
// that are lost: the page asks for the state when it subscribes.
type sink struct{ to js.Value }

func (s *sink) send(e map[string]any) {
	if e == nil || s.to.Type() != js.TypeFunction {
		return
	}
	text, err := json.Marshal(e)
	if err != nil {
		return
	}
	s.to.Invoke(js.Global().Get("JSON").Call("parse", string(text)))
}

// sense takes one sample of the page's host. What is not of its shape is ignored:
// it comes a few times a second and the next one follows.
func (a *api) sense(v js.Value) {
	var s hostSample
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

// signal hands one over; one with an impossible figure is the page's mistake and
// is ignored like any other sample that is off.
func (a *api) signal(s watcher.Signal) { _ = a.cfg.Kernel.Signal(s) }

// eventView is an event as web/kernel.d.ts has it; nil for one the page does not
// hear of.
func (a *api) eventView(ctx context.Context, e kernel.Event) map[string]any {
	v := map[string]any{"type": e.Name(), "at": e.When().UnixMilli()}
	switch e := e.(type) {
	case kernel.Joined:
		a.joined.Store(true)
		v["peerId"] = string(e.Peer)
		if s, err := a.cfg.Kernel.Status(ctx); err == nil {
			v["peers"] = s.Peers
		}
	case kernel.NodeHeard:
		v["type"], v["peerId"], v["name"], v["isNew"] = "node", string(e.Profile.Peer), e.Profile.Name, e.New
		if !e.New {
			return nil
		}
	case kernel.NodeGone:
		v["type"], v["peerId"], v["gone"] = "node", string(e.Node), true
	case kernel.PeerConnected:
		v["type"], v["peerId"], v["connected"] = "peer", string(e.Peer), true
	case kernel.PeerDisconnected:
		v["type"], v["peerId"], v["connected"] = "peer", string(e.Peer), false
	case kernel.JobRejected:
		v["type"], v["id"], v["state"], v["code"] = "job", e.JobID, "rejected", e.Reason
		v["reason"] = errorText(e.Err)
	case kernel.JobAdmitted:
		v["type"], v["id"], v["state"] = "job", e.JobID, "admitted"
	case kernel.JobPlacedEvent:
		v["type"], v["id"], v["state"], v["node"], v["score"], v["attempt"] = "job", e.JobID, "placed", string(e.Node), e.Score, e.Attempt
	case kernel.JobProgress:
		v["type"], v["id"], v["state"], v["done"], v["total"] = "job", e.JobID, "running", e.Progress.Done, e.Progress.Total
	case kernel.JobEnded:
		v["type"], v["id"], v["node"], v["cost"] = "job", e.JobID, string(e.Node), e.Outcome.Cost
		v["state"], v["reason"] = "done", errorText(e.Err)
		switch {
		case e.Outcome.Code == mesh.JobCancelled:
			v["state"] = "cancelled"
		case e.Err != nil:
			v["state"] = "failed"
		}
	case kernel.Commanded:
		v["type"], v["id"], v["command"], v["code"] = "capsule", e.Reply.CapsuleID, e.Command.Type.String(), replyCode(e.Reply.Code)
	case kernel.ServiceFailed:
		v["type"], v["level"], v["text"] = "log", "error", e.Service+": "+e.Message
	case kernel.MiningStart:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), e.Reason
	case kernel.MiningStop:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), e.Reason
	case kernel.FidelityChanged:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), fmt.Sprint(e.Fidelity)
	case kernel.Throttled:
		v["type"], v["message"], v["id"], v["jammed"] = "broadcast", e.Name(), e.Throttle.Capsule, e.Throttle.Jammed
	case kernel.Fed:
		v["type"], v["id"], v["node"], v["from"] = "fed", e.CapsuleID, string(e.Node), string(e.From)
		v["bytes"], v["reason"] = e.Taken, errorText(e.Err)
	case kernel.CapsuleNews:
		return capsuleNews(v, e)
	case kernel.HostChanged, kernel.CapsuleChanged:
		return nil // seen as their consequences
	case kernel.Dropped:
		v["type"], v["level"], v["text"] = "log", "warn", "events were dropped: the page reads too slowly"
		v["count"] = e.Count
	}
	return v
}

// capsuleNews is an event of the supervisor as the page has it.
func capsuleNews(v map[string]any, news kernel.CapsuleNews) map[string]any {
	v["type"] = "capsule"
	switch e := news.Event.(type) {
	case supervisor.CapsuleStarted:
		v["id"], v["name"], v["state"], v["restarts"] = e.ID, e.Name, "started", e.Restarts
	case supervisor.CapsuleStateChanged:
		v["id"], v["state"], v["was"], v["reason"] = e.ID, e.To.String(), e.From.String(), e.Reason
	case supervisor.CongestionChanged:
		v["id"], v["congested"] = e.ID, e.Congested
	case supervisor.CapsuleLogged:
		v["type"], v["level"], v["text"], v["id"] = "log", levelOf(e.Log.Level), e.Log.Text, e.ID
	case supervisor.MemoryResized:
		v["id"], v["memoryBytes"], v["memoryEpoch"] = e.ID, e.To, e.Epoch
	case supervisor.MemoryRefused:
		v["id"], v["refusedBytes"], v["memoryLimit"], v["reason"] = e.ID, e.Wanted, e.Limit, e.Reason
	case supervisor.PauseOverdue:
		v["id"], v["overdue"], v["afterMs"], v["killed"] = e.ID, "pause", ms(e.After), e.Killed
	case supervisor.CapsuleEnded:
		v["id"], v["name"], v["state"], v["reason"], v["restart"] = e.ID, e.Name, "ended", e.Reason, e.Restart
	default:
		return nil
	}
	return v
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// errorValue is err as a JavaScript Error of name InosError with a stable code.
func errorValue(err error) js.Value {
	v := js.Global().Get("Error").New(err.Error())
	code, again := verdict(err)
	v.Set("name", "InosError")
	v.Set("code", code)
	v.Set("retryable", again)
	return v
}
