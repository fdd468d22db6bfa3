//go:build !js

package node

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/credit"
	"inos/internal/mesh"
	"inos/internal/submit"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

var (
	endRuns = flag.Int("runs", 0, "jobs of TestARunIsPaidForWhateverEndsIt; 0 means one of each module")
	endSeed = flag.Uint64("seed", 0, "of TestARunIsPaidForWhateverEndsIt; 0 takes it from the clock")
)

const (
	// endPrice is so high that a microcredit is ten microseconds: nothing hides in what is
	// rounded up.
	endPrice = 100_000
	// endSilence is after how long a capsule of these tests is silent, or not ready.
	endSilence = 400 * time.Millisecond
	longestJob = 2 * time.Second
)

// What a stranger can bring about, and what a node's owner can.
type ending string

const (
	itself   ending = "itself" // whatever the module does
	deadline ending = "deadline"
	voucher  ending = "voucher"
	usedUp   ending = "budget"
	cancel   ending = "cancel"
	kill     ending = "kill"
	drain    ending = "drain"
	shutdown ending = "shutdown"
)

var endings = []ending{itself, itself, deadline, voucher, usedUp, cancel, kill}

// Whatever ends a run, of whatever module: either it was refused before it ran, or it costs at
// least what the node was used for, from when its compilation began to when it was killed, and
// at most what its payer waited for.
func TestARunIsPaidForWhateverEndsIt(t *testing.T) {
	seed := *endSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	modules := everyModule(t)
	var sellers []*seller
	for i := range 2 {
		sellers = append(sellers, openSeller(t, byte(120+i)))
	}
	type plan struct {
		module
		ending
		after  time.Duration
		cached bool
	}
	plans := make([]plan, max(*endRuns, len(modules)))
	for i := range plans {
		p := plan{modules[i%len(modules)], endings[rng.IntN(len(endings))], time.Duration(rng.Int64N(int64(endSilence) * 5 / 4)), rng.IntN(3) == 0}
		if !p.cached {
			p.wasm = unlike(p.wasm, rng.Uint64())
		}
		plans[i] = p
	}
	spin := module{"spin", capsules.Built(t, "fault"), "spin", nil}
	for _, how := range endings { // each comes about once, whatever the seed
		plans = append(plans, plan{spin, how, endSilence / 2, true})
	}
	queue := make(chan plan, len(plans))
	for _, p := range plans {
		queue <- p
	}
	close(queue)
	ends := make(map[mesh.JobCode]int)
	var mu sync.Mutex
	var work sync.WaitGroup
	for _, s := range sellers {
		work.Go(func() {
			for p := range queue {
				code := s.sell(t, p.module, p.ending, p.after)
				mu.Lock()
				ends[code]++
				mu.Unlock()
			}
		})
	}
	work.Wait()
	// A node leaves once.
	for i, how := range []ending{drain, shutdown} {
		s := openSeller(t, byte(130+i))
		code := s.sell(t, modules[rng.IntN(len(modules))], how, time.Duration(rng.Int64N(int64(endSilence))))
		ends[code]++
		s = openSeller(t, byte(140+i))
		code = s.sell(t, spin, how, endSilence/2)
		require.NotEqual(t, mesh.JobOK, code)
	}
	t.Logf("%v", ends)
	for _, code := range []mesh.JobCode{mesh.JobDeadline, mesh.JobCrashed, mesh.JobCreditExhausted, mesh.JobCancelled} {
		require.Positive(t, ends[code], "%v", code)
	}
}

// module is what a job runs.
type module struct {
	name   string
	wasm   []byte
	method string
	args   []string
}

// everyModule is all of capsules/hostile, and what the capsule fault does on demand.
func everyModule(t *testing.T) (all []module) {
	paths, err := filepath.Glob(filepath.Join(capsules.Folder(t), "hostile", "*.wasm"))
	require.NoError(t, err)
	require.NotEmpty(t, paths, "make capsules")
	for _, path := range paths {
		wasm, err := os.ReadFile(path)
		require.NoError(t, err)
		all = append(all, module{name: strings.TrimSuffix(filepath.Base(path), ".wasm"), wasm: wasm})
	}
	fault := capsules.Built(t, "fault")
	for _, c := range hostile.Cases(capsules.Built(t, "hash")) {
		switch {
		case c.Task.Method != "":
			all = append(all, module{c.Name, fault, c.Task.Method, c.Task.Args})
		case c.Bytes != nil:
			all = append(all, module{name: c.Name, wasm: c.Bytes})
		}
	}
	return append(all, module{"work", fault, "work", nil}, module{"echo", fault, "echo", nil}, module{"no method", fault, "nothing", nil},
		module{name: "slow to compile", wasm: hostile.SlowToCompile()})
}

// unlike is wasm with a custom section that no other has: it has to be compiled.
func unlike(wasm []byte, n uint64) []byte {
	if !strings.HasPrefix(string(wasm), "\x00asm") {
		return wasm
	}
	name := fmt.Sprintf("%016x", n)
	return slices.Concat(wasm, []byte{0, byte(len(name) + 1), byte(len(name))}, []byte(name))
}

// seller is a node that sells runs, one at a time, and a witness of what they used.
type seller struct {
	*peer
	seen *usageRuntime
}

// compileProcess is the first argument of this program as a compiler.
const compileProcess = "compile"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compileProcess {
		os.Exit(wazero.CompileProcess(os.Args[2:], os.Stdin, os.Stderr))
	}
	os.Exit(m.Run())
}

// compiledApart is a runtime as a node has it.
func compiledApart(t *testing.T) capsule.Runtime {
	program, err := os.Executable()
	require.NoError(t, err)
	rt, err := wazero.New(wazero.Config{CacheDir: t.TempDir(), Compiler: wazero.Compiler{Program: program, Args: []string{compileProcess}, Memory: 1 << 45}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

func openSeller(t *testing.T, seed byte) *seller {
	s := &seller{seen: &usageRuntime{}}
	s.peer = start(t, seed, func(c *Config) {
		s.seen.Runtime = compiledApart(t)
		c.Runtime, c.CreditCost, c.StrangerLine = s.seen, endPrice, 100*endPrice
		c.supervise = func(cfg *supervisor.Config) {
			cfg.Heartbeat, cfg.StartTimeout = endSilence/20, longestJob/2
			cfg.DegradedAfter, cfg.ZombieAfter, cfg.KillAfter = 10, 15, 20
		}
	})
	return s
}

// sell has the seller run m for a stranger, ends it after a while, and checks the bill.
func (s *seller) sell(t *testing.T, m module, how ending, after time.Duration) mesh.JobCode {
	what := fmt.Sprintf("%s, ended by %s after %v", m.name, how, after)
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	wallet, err := credit.NewSigner(credit.SignerConfig{Key: key, Codec: wire.Credit{}})
	must(t, err)
	now := time.Now()
	order := submit.Order{Capsule: capsule.SumCID(m.wasm), Method: m.method, Args: m.args, Budget: 60 * endPrice, Deadline: now.Add(longestJob),
		CreditLedgerID: string(wallet.Ledger()), Module: "test", Device: wallet.Peer()}
	expires := now.Add(time.Minute)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	switch how {
	case deadline:
		order.Deadline = now.Add(after)
	case voucher:
		expires = now.Add(after)
	case usedUp:
		order.Budget = 1 + uint64(after.Seconds()*endPrice)
	}
	sub, err := submit.New(order, now)
	must(t, err)
	_, raw, err := wallet.Issue(sub.Job.ID, s.mesh.Self(), order.Budget, expires)
	must(t, err)
	fetch := func(context.Context, mesh.FetchCall) (mesh.Blob, error) { return s.Library.Seal(m.name, m.wasm) }

	use := s.seen.watch()
	trigger := time.AfterFunc(after, func() {
		switch how {
		case cancel:
			stop()
		case kill:
			for _, in := range s.Supervisor.List() {
				if in.Jobs > 0 {
					s.Supervisor.Command(context.Background(), capsule.Command{ID: "k", Type: capsule.Kill, Target: in.ID})
				}
			}
		case drain:
			over, done := context.WithCancel(context.Background())
			done()
			_, _ = s.Kernel.Drain(over)
		case shutdown:
			s.halt()
		}
	})
	defer trigger.Stop()
	asked := time.Now()
	out := s.Kernel.HandleJob(ctx, wallet.Peer(), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: raw, Input: sub.Input}, fetch, nil)
	waited := time.Since(asked)
	used, stalled, left := use.end()
	what = fmt.Sprintf("%s: %v %s (%s) for %d, used %v, waited %v, stood still for %v", what, out.Code, out.Reason, out.Message, out.Cost, used, waited, stalled)

	if out.Code == mesh.JobInternal {
		t.Errorf("%s: whose fault is that?", what)
	}
	if most := credit.Bound(endPrice, waited); out.Cost > most {
		t.Errorf("%s: that is more than %d", what, most)
	}
	if left {
		t.Errorf("%s: it runs on", what)
	}
	if used == 0 {
		if out.Cost > 0 || len(out.Receipt) > 0 || out.Code == mesh.JobOK {
			t.Errorf("%s: nothing ran", what)
		}
		return out.Code
	}
	receipt, _, err := wire.Credit{}.OpenReceipt(out.Receipt)
	if err != nil || receipt.Cost != out.Cost {
		t.Errorf("%s: receipt over %d: %v", what, receipt.Cost, err)
	}
	if b, ok := s.Ledger.Balance(wallet.Ledger()); !ok || b.Balance != -int64(out.Cost) || b.Held != 0 {
		t.Errorf("%s: the books say %+v", what, b)
	}
	owed := credit.Meter{Rate: endPrice, Max: 1 << 62}.Cost(used)
	if out.Cost >= owed || stalled > time.Second/2 { // a meter counts no time that nobody works in
		return out.Code
	}
	// No more than what was held for it can be owed: then it was killed when that was used up, or
	// when its deadline came, give or take the time that a kill takes.
	killed := 100*time.Millisecond + 2*stalled
	held := min(order.Budget, credit.Bound(endPrice, order.Deadline.Sub(asked)-killed))
	if over := used - (credit.Meter{Rate: endPrice, Max: out.Cost}).Lasts(); out.Cost < held || over > killed {
		t.Errorf("%s: it owes %d of %d that were held, and ran on for %v", what, owed, held, over)
	}
	return out.Code
}

func must(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

// usageRuntime is a runtime that notes what is used of it.
type usageRuntime struct {
	capsule.Runtime

	mu  sync.Mutex
	now *use
}

// use is what one run used: from when the first thing of it was begun to when the last one was
// killed, or had ended.
type use struct {
	mu          sync.Mutex
	first, last time.Time
	open        []*usedInstance
	stall       time.Duration // for how long at most this process stood still meanwhile
	over        chan struct{}
}

// watch begins with a new run.
func (w *usageRuntime) watch() *use {
	u := &use{over: make(chan struct{})}
	w.mu.Lock()
	w.now = u
	w.mu.Unlock()
	go func() {
		const look = 10 * time.Millisecond
		tick := time.NewTicker(look)
		defer tick.Stop()
		for at := time.Now(); ; {
			select {
			case <-u.over:
				return
			case <-tick.C:
			}
			now := time.Now()
			u.mu.Lock()
			u.stall = max(u.stall, now.Sub(at)-look)
			u.mu.Unlock()
			at = now
		}
	}()
	return u
}

func (w *usageRuntime) current() *use {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// end is after the run. left says that something of it runs on.
func (u *use) end() (used, stalled time.Duration, left bool) {
	close(u.over)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, in := range u.open {
		left = left || !in.ended
	}
	if u.first.IsZero() {
		return 0, u.stall, left
	}
	return max(u.last.Sub(u.first), 1), u.stall, left
}

func (u *use) begins() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.first.IsZero() {
		u.first = time.Now()
	}
}

func (u *use) ends(in *usedInstance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if in != nil {
		if in.ended {
			return
		}
		in.ended = true
	}
	u.last = time.Now()
}

func (w *usageRuntime) Compile(ctx context.Context, wasm []byte) (capsule.Module, error) {
	u, compiled := w.current(), false
	m, err := w.Runtime.Compile(capsule.Metered(ctx, func() {
		compiled = true
		capsule.Begin(ctx)
		u.begins()
	}), wasm)
	if compiled {
		u.ends(nil)
	}
	if err != nil {
		return nil, err
	}
	return observedModule{m, w}, nil
}

func (w *usageRuntime) Compiled(cid capsule.CID) (capsule.Module, bool) {
	m, ok := w.Runtime.Compiled(cid)
	return observedModule{m, w}, ok
}

type observedModule struct {
	capsule.Module
	usageRuntime *usageRuntime
}

func (m observedModule) Instantiate(ctx context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	u := m.usageRuntime.current()
	u.begins()
	in, err := m.Module.Instantiate(ctx, epoch, limit)
	if err != nil {
		u.ends(nil)
		return nil, err
	}
	used := &usedInstance{Instance: in, use: u, done: make(chan struct{})}
	u.mu.Lock()
	u.open = append(u.open, used)
	u.mu.Unlock()
	go func() {
		<-in.Done()
		u.ends(used)
		close(used.done)
	}()
	return used, nil
}

// usedInstance is one whose end is noted before anybody hears of it.
type usedInstance struct {
	capsule.Instance
	use   *use
	ended bool // use.mu
	done  chan struct{}
}

func (in *usedInstance) Kill() {
	in.use.ends(in)
	in.Instance.Kill()
}

func (in *usedInstance) Done() <-chan struct{} { return in.done }
