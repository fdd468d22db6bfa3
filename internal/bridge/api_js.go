package bridge

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall/js"
	"time"

	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/library"
)

// Config of an API. All fields but Close are required.
type Config struct {
	Kernel   *kernel.Kernel
	Library  *library.Library
	Capsules Lister
	Name     string
	Join     func(ctx context.Context) error // dials the bootstrap nodes
	Connect  func(ctx context.Context, addr string) (identity.PeerID, error)
	Gate     *governance.Gate
	// Enforce puts a policy, written as text, in force and stores it.
	Enforce   func(text string) (governance.Enforced, error)
	Wallet    *credit.Signer
	Ledger    *credit.Ledger
	Log       credit.Log // the ledger's
	Storage   Storage    // where Log is
	Version   string
	Bootstrap []string
	// Close asks the program to end.
	Close func()
	// Heartbeats delivers the ids of capsules that have sent a heartbeat; the sender drops ids that
	// find no room.
	Heartbeats <-chan string
}

// api holds the verbs. It lives as long as the program.
type api struct {
	cfg      Config
	promises *promises
	verbs    map[string]*verb
	started  time.Time
	history  history
	streams  streams
}

// verb is one verb with the number of its calls in flight.
type verb struct {
	run     func(ctx context.Context, args []js.Value) (any, error)
	pending atomic.Int64
}

func newAPI(ctx context.Context, cfg Config) *api {
	a := &api{cfg: cfg, promises: newPromises(ctx), started: time.Now()}
	a.verbs = map[string]*verb{}
	for name, run := range map[string]func(context.Context, []js.Value) (any, error){
		"status": a.status, "nodes": a.nodes, "find": a.find, "capsules": a.capsules, "catalog": a.catalog, "jobs": a.jobs,
		"spawn": a.spawn, "kill": a.kill, "pause": a.pause, "resume": a.resume, "resize": a.resize, "snapshot": a.snapshot, "call": a.callCapsule,
		"dispatch": a.dispatch, "cancel": a.cancel, "explain": a.explain, "connect": a.connect, "close": a.close,
		"publish": a.publish, "ledger": a.ledger, "why": a.why, "policy": a.policy, "enforce": a.enforce, "trace": a.trace,
		// The console's streams use these; they are no verbs of the console.
		"feed:open": a.feedOpen, "feed:put": a.feedPut, "feed:end": a.feedEnd, "feed:over": a.feedOver,
		"listen:open": a.listenOpen, "listen:take": a.listenTake, "listen:close": a.listenClose, "listen:over": a.listenOver,
	} {
		a.verbs[name] = &verb{run: run}
	}
	return a
}

// call runs one verb and returns its Promise.
func (a *api) call(name string, args []js.Value) js.Value {
	v, ok := a.verbs[name]
	if !ok {
		forPeople := slices.DeleteFunc(sortedKeys(a.verbs), func(v string) bool { return strings.Contains(v, ":") })
		return a.promises.rejected(failed(errUnknownVerb, "no verb %.40q; the verbs are %s", name, strings.Join(forPeople, ", ")))
	}
	return a.promises.start(&v.pending, func(ctx context.Context) (any, error) { return v.run(ctx, args) })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// info describes this kernel.
func (a *api) info(name string) console.KernelInfo {
	return console.KernelInfo{
		PeerID: string(a.cfg.Kernel.Self()), LedgerID: string(a.cfg.Wallet.Ledger()), Name: name, Version: a.cfg.Version,
		Durable: a.cfg.Storage.Durable, DurableReason: a.cfg.Storage.Reason, DurableDetail: a.cfg.Storage.Detail,
	}
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
	v := console.KernelStatus{
		KernelInfo: a.info(s.Name), State: "ready", UptimeMs: console.Ms(time.Since(a.started)), Peers: s.Peers, Nodes: s.Nodes,
		Capsules: len(a.cfg.Capsules.Capsules()), Jobs: len(jobs), Capabilities: some(s.Capabilities), Bootstrap: some(a.cfg.Bootstrap),
		Mining: s.Mining, Fidelity: s.Fidelity, HeapBytes: mem.HeapAlloc, Memory: viewMemory(s.Memory),
	}
	if s.Clocks.Peers > 0 {
		v.ClockOffsetMs = new(console.Ms(s.Clocks.Ahead))
	}
	if s.Peers > 0 {
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
	rows := []console.NodeRow{}
	for _, n := range nodes {
		rows = append(rows, viewNode(n, now))
	}
	return rows, nil
}

// find answers inos.find(capability): the nodes with a provider record in the DHT now.
func (a *api) find(ctx context.Context, args []js.Value) (any, error) {
	capability, err := text("find", "capability", arg(args, 0))
	if err != nil {
		return nil, err
	}
	if err := capsule.CheckCapability(capability); err != nil {
		return nil, failed(errBadArgument, "find: %v", err)
	}
	found, err := a.cfg.Kernel.Find(ctx, capability)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	rows := []console.FoundRow{}
	for _, n := range found {
		rows = append(rows, console.FoundRow{NodeRow: viewNode(n.NodeInfo, now), Heard: n.Heard})
	}
	return rows, nil
}

// names maps nodes to their names; where the kernel does not answer there are none.
func (a *api) names(ctx context.Context, ids []identity.PeerID) map[identity.PeerID]string {
	names, _ := a.cfg.Kernel.Names(ctx, ids)
	return names
}

func (a *api) capsules(context.Context, []js.Value) (any, error) {
	return append([]console.CapsuleRow{}, a.cfg.Capsules.Capsules()...), nil // never null
}

func (a *api) catalog(context.Context, []js.Value) (any, error) {
	rows := []console.CapsuleOffer{}
	for _, e := range a.cfg.Library.List() {
		rows = append(rows, console.CapsuleOffer{Name: e.Name, CID: e.CID, Bytes: e.Size, Loaded: e.Loaded})
	}
	return rows, nil
}

func (a *api) jobs(ctx context.Context, _ []js.Value) (any, error) {
	jobs, err := a.cfg.Kernel.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]identity.PeerID, 0, len(jobs))
	for _, j := range jobs {
		ids = append(ids, j.Node)
	}
	names := a.names(ctx, ids)
	rows := []console.JobRow{}
	for _, j := range jobs {
		v := console.JobRow{ID: j.ID, Capsule: a.capsuleName(j.Capsule), Method: j.Method, State: string(j.State),
			Node: string(j.Node), NodeName: names[j.Node], Cost: j.Cost, Reason: j.Err}
		if end := j.Ended; !end.IsZero() {
			v.TotalMs = console.Ms(end.Sub(j.Submitted))
		} else {
			v.TotalMs = console.Ms(time.Since(j.Submitted))
		}
		if past, ok := a.history.get(j.ID); ok {
			v.Score, v.InputBytes, v.OutputBytes = past.score, past.input, past.output
		}
		rows = append(rows, v)
	}
	return rows, nil
}

// capsuleName is a capsule's name, or its CID where it has none.
func (a *api) capsuleName(cid string) string {
	for _, e := range a.cfg.Library.List() {
		if e.CID == cid && e.Name != "" {
			return e.Name
		}
	}
	return cid
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
	return console.Connected{PeerID: string(peer)}, nil
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
