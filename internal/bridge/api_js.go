package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall/js"
	"time"

	"github.com/google/uuid"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/scheduler"
	"inos/internal/submit"
)

// Config of an API. All fields but Close are required.
type Config struct {
	Kernel    *kernel.Kernel
	Library   *library.Library
	Capsules  Lister
	Name      string
	Join      func(ctx context.Context) error // dials the bootstrap nodes
	Connect   func(ctx context.Context, addr string) (identity.PeerID, error)
	Gate      *governance.Gate
	Wallet    *credit.Wallet
	Ledger    *credit.Ledger
	Log       credit.Log // the ledger's
	Durable   bool       // Log outlasts the page
	Version   string
	Bootstrap []string
	// Close asks the program to end.
	Close func()
	// Heartbeats delivers the ids of capsules that were heard of; the sender drops
	// what does not fit.
	Heartbeats <-chan string
}

// api holds the verbs. It lives as long as the program.
type api struct {
	cfg      Config
	promises *promises
	verbs    map[string]verb
	started  time.Time
	history  history
	joined   atomic.Bool
}

type verb func(ctx context.Context, args []js.Value) (any, error)

func newAPI(ctx context.Context, cfg Config) *api {
	a := &api{cfg: cfg, promises: newPromises(ctx), started: time.Now()}
	a.verbs = map[string]verb{
		"status": a.status, "nodes": a.nodes, "capsules": a.capsules, "catalog": a.catalog, "jobs": a.jobs,
		"spawn": a.spawn, "kill": a.kill, "pause": a.pause, "resume": a.resume, "resize": a.resize,
		"dispatch": a.dispatch, "explain": a.explain, "connect": a.connect, "close": a.close,
		"publish": a.publish, "ledger": a.ledger, "why": a.why, "policy": a.policy, "trace": a.trace,
	}
	return a
}

// call runs one verb and returns its Promise.
func (a *api) call(name string, args []js.Value) js.Value {
	v, ok := a.verbs[name]
	if !ok {
		return a.promises.rejected(&Error{Code: CodeUnknownVerb,
			Message: fmt.Sprintf("no verb %.40q; the verbs are %s", name, strings.Join(sortedKeys(a.verbs), ", "))})
	}
	return a.promises.start(func(ctx context.Context) (any, error) { return v(ctx, args) })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (a *api) status(ctx context.Context, _ []js.Value) (any, error) {
	s, err := a.cfg.Kernel.Status(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := a.cfg.Kernel.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	v := statusView{
		PeerID: string(s.Self), LedgerID: string(a.cfg.Wallet.Ledger()), Name: s.Name, Version: a.cfg.Version, State: "ready",
		UptimeMs: ms(time.Since(a.started)), Peers: s.Peers, Nodes: s.Nodes, Capsules: len(a.cfg.Capsules.Capsules()),
		Jobs: len(jobs), Capabilities: some(s.Capabilities), Bootstrap: some(a.cfg.Bootstrap),
		Mining: s.Mining, Fidelity: s.Fidelity, HeapBytes: mem.HeapAlloc,
	}
	if a.joined.Load() {
		v.State = "joined"
	}
	return v, nil
}

func (a *api) nodes(ctx context.Context, _ []js.Value) (any, error) {
	nodes, err := a.cfg.Kernel.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	rows := []nodeView{}
	for _, n := range nodes {
		rows = append(rows, viewNode(n, now))
	}
	return rows, nil
}

// names maps the known nodes to their names; without an answer there are none.
func (a *api) names(ctx context.Context) map[identity.PeerID]string {
	names := map[identity.PeerID]string{}
	nodes, _ := a.cfg.Kernel.Nodes(ctx)
	for _, n := range nodes {
		names[n.Profile.Peer] = n.Profile.Name
	}
	return names
}

func (a *api) capsules(context.Context, []js.Value) (any, error) {
	rows := []capsuleView{}
	for _, c := range a.cfg.Capsules.Capsules() {
		v := capsuleView{ID: c.ID, Name: c.Name, CID: c.CID, State: c.State, MemoryBytes: c.MemoryBytes,
			MemoryEpoch: c.Epoch, Restarts: c.Restarts, CPUMs: ms(c.Heartbeat.CPUTime), JobsDone: c.Heartbeat.JobsDone,
			Heartbeats: c.Heartbeat.Sequence, Congested: c.Heartbeat.Congested, Reason: c.Reason}
		if !c.HeartbeatAt.IsZero() {
			v.HeartbeatAgeMs = ms(time.Since(c.HeartbeatAt))
		}
		rows = append(rows, v)
	}
	return rows, nil
}

func (a *api) catalog(context.Context, []js.Value) (any, error) {
	type offer struct {
		Name   string `json:"name"`
		CID    string `json:"cid"`
		Bytes  uint64 `json:"bytes"`
		Loaded bool   `json:"loaded"`
	}
	rows := []offer{}
	for _, e := range a.cfg.Library.List() {
		rows = append(rows, offer{e.Name, e.CID, e.Size, e.Loaded})
	}
	return rows, nil
}

func (a *api) jobs(ctx context.Context, _ []js.Value) (any, error) {
	jobs, err := a.cfg.Kernel.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	names := a.names(ctx)
	rows := []jobView{}
	for _, j := range jobs {
		v := jobView{ID: j.ID, Capsule: a.capsuleName(j.Capsule), Method: j.Method, State: string(j.State),
			Node: string(j.Node), NodeName: names[j.Node], Cost: j.Cost, Reason: j.Err}
		if end := j.Ended; !end.IsZero() {
			v.TotalMs = ms(end.Sub(j.Submitted))
		} else {
			v.TotalMs = ms(time.Since(j.Submitted))
		}
		if past, ok := a.history.get(j.ID); ok {
			v.Score, v.InputBytes, v.OutputBytes = past.score, past.input, past.output
		}
		rows = append(rows, v)
	}
	return rows, nil
}

// capsuleName is a capsule's name where it has one, else its CID.
func (a *api) capsuleName(cid string) string {
	for _, e := range a.cfg.Library.List() {
		if e.CID == cid && e.Name != "" {
			return e.Name
		}
	}
	return cid
}

func (a *api) spawn(ctx context.Context, args []js.Value) (any, error) {
	name, err := text("spawn", "nameOrCid", arg(args, 0))
	if err != nil {
		return nil, err
	}
	var opts spawnArgs
	if err := object("spawn", "options", arg(args, 1), &opts); err != nil {
		return nil, err
	}
	cid, err := a.cfg.Library.Resolve(name)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{
		CID: cid.String(), MemoryLimit: opts.MemoryLimit, Capabilities: opts.Capabilities, Args: opts.Args,
		CreditLedgerID: opts.CreditLedgerID,
	}})
}

func (a *api) kill(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "kill", args, capsule.Command{Type: capsule.Kill, Kill: &capsule.KillParams{Reason: "inos.kill"}})
}

func (a *api) pause(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "pause", args, capsule.Command{Type: capsule.Pause})
}

func (a *api) resume(ctx context.Context, args []js.Value) (any, error) {
	return a.target(ctx, "resume", args, capsule.Command{Type: capsule.Resume})
}

func (a *api) resize(ctx context.Context, args []js.Value) (any, error) {
	bytes := arg(args, 1)
	if bytes.Type() != js.TypeNumber || bytes.Float() < 0 || bytes.Float() > 1<<40 {
		return nil, badArgument("resize", "bytes", "a number of bytes", kindOf(bytes))
	}
	return a.target(ctx, "resize", args, capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: uint64(bytes.Float())}})
}

func (a *api) target(ctx context.Context, verb string, args []js.Value, cmd capsule.Command) (any, error) {
	id, err := text(verb, "capsuleId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	cmd.Target = id
	return a.command(ctx, cmd)
}

// command sends cmd to this node and turns a reply that is not OK into an error.
func (a *api) command(ctx context.Context, cmd capsule.Command) (any, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	cmd.ID, cmd.Timestamp = id.String(), time.Now()
	reply, err := a.cfg.Kernel.Command(ctx, "", cmd)
	if err != nil {
		return nil, err
	}
	if reply.Code != capsule.OK {
		return nil, &Error{Code: replyCode(reply.Code), Message: reply.Message}
	}
	return replyView{CapsuleID: reply.CapsuleID, Code: replyCode(reply.Code), Message: reply.Message,
		MemoryBytes: reply.MemoryBytes, MemoryEpoch: reply.MemoryEpoch}, nil
}

// order reads a DispatchOptions argument.
func (a *api) order(verb string, v js.Value) (submit.Order, error) {
	if v.Type() != js.TypeObject {
		return submit.Order{}, badArgument(verb, "job", "an object like {capsule, method, input, requires, creditLedgerId}", kindOf(v))
	}
	input, err := bytesFromJS(verb, "job.input", v.Get("input"))
	if err != nil {
		return submit.Order{}, err
	}
	var d dispatchArgs
	if err := object(verb, "job", v, &d, "input"); err != nil {
		return submit.Order{}, err
	}
	if d.Capsule == "" {
		return submit.Order{}, badArgument(verb, "job.capsule", "a name or a CID", "nothing")
	}
	cid, err := a.cfg.Library.Resolve(d.Capsule)
	if err != nil {
		return submit.Order{}, err
	}
	return d.order(cid, input, a.cfg.Kernel.Self(), time.Now()), nil
}

func (a *api) dispatch(ctx context.Context, args []js.Value) (any, error) {
	order, err := a.order("dispatch", arg(args, 0))
	if err != nil {
		return nil, err
	}
	sub, err := submit.New(order, time.Now())
	if err != nil {
		return nil, err
	}
	out, err := a.cfg.Kernel.Dispatch(ctx, sub)
	a.history.add(sub.Job.ID, pastJob{input: sub.Job.InputLength, output: uint64(len(out.Output)), score: out.Score, decision: out.Decision, node: out.Node})
	names := a.names(ctx)
	if errors.Is(err, scheduler.ErrNoCandidate) {
		why := explanation(sub.Job.ID, out.Decision.Explanation, names, "").Summary
		return nil, &Error{Code: codeOf(err), Message: fmt.Sprintf("%v: %s", err, why)}
	}
	if err != nil {
		return nil, err
	}
	return withBytes{
		plain: outcomeView{
			JobID: out.JobID, Node: string(out.Node), NodeName: names[out.Node], Local: out.Local, Score: out.Score,
			Considered: considered(out.Decision.Explanation, names, out.Node), Why: out.Decision.Why, Text: textOf(out.Output),
			OutputCID: out.OutputCID, Cost: out.Cost, Paid: len(out.Receipt) > 0, CapsuleBytes: out.Fetched, Attempts: len(out.Attempts),
			QueuedMs: ms(out.Queued), RunMs: ms(out.Run), TotalMs: ms(out.Total),
		},
		bytes: map[string][]byte{"output": out.Output},
	}, nil
}

func (a *api) explain(ctx context.Context, args []js.Value) (any, error) {
	names := a.names(ctx)
	if v := arg(args, 0); v.Type() == js.TypeString {
		past, ok := a.history.get(v.String())
		if !ok {
			return nil, &Error{Code: "unknown_job", Message: fmt.Sprintf("explain: no job %.60q was dispatched from here", v.String())}
		}
		return explanation(v.String(), past.decision.Explanation, names, past.node), nil
	}
	order, err := a.order("explain", arg(args, 0))
	if err != nil {
		return nil, err
	}
	sub, err := submit.New(order, time.Now())
	if err != nil {
		return nil, err
	}
	d, err := a.cfg.Kernel.Explain(ctx, sub.Job)
	if err != nil {
		return nil, err
	}
	var best identity.PeerID
	if len(d.Top) > 0 {
		best = d.Top[0].Node.ID
	}
	return explanation(sub.Job.ID, d, names, best), nil
}

func (a *api) connect(ctx context.Context, args []js.Value) (any, error) {
	addr, err := text("connect", "multiaddr", arg(args, 0))
	if err != nil {
		return nil, err
	}
	peer, err := a.cfg.Connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	return map[string]string{"peerId": string(peer)}, nil
}

// close answers before the program ends.
func (a *api) close(context.Context, []js.Value) (any, error) {
	time.AfterFunc(10*time.Millisecond, a.cfg.Close)
	return nil, nil
}

func arg(args []js.Value, i int) js.Value {
	if i < len(args) {
		return args[i]
	}
	return js.Undefined()
}
