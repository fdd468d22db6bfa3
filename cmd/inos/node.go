package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"inos/cmd/internal/node"
	"inos/internal/governance"
	"inos/internal/keyfile"
	"inos/internal/mesh/p2p"
	"inos/internal/store"
	"inos/internal/trace/otlp"
)

type nodeCmd struct{ nodeFlags }

// Run runs a node until it is told to stop.
func (c *nodeCmd) Run(s *session) error {
	n, err := start(s.ctx, c.nodeFlags, s.diag)
	if err != nil {
		return err
	}
	n.sayReach(s.diag)
	printJSON(s.out, n.ready())
	return n.wait()
}

// sayReach warns of a node that nobody elsewhere can use.
func (n *native) sayReach(diag io.Writer) {
	if onlyHere(n.mesh.Addrs()) {
		fmt.Fprintln(diag, "inos: only this machine can reach this node: it listens on loopback. "+
			"--listen /ip4/0.0.0.0/udp/4001/quic-v1/webtransport, with UDP port 4001 open, lets others in")
	}
}

// onlyHere reports whether all of a node's multiaddrs are loopback's.
func onlyHere(addrs []string) bool {
	return !slices.ContainsFunc(addrs, func(addr string) bool {
		return !strings.HasPrefix(addr, "/ip4/127.") && !strings.HasPrefix(addr, "/ip6/::1/")
	})
}

// native is a node of this process, running.
type native struct {
	*node.Node
	mesh    *p2p.Mesh
	spans   *otlp.Exporter // nil: none
	undo    []func() error
	cancel  context.CancelFunc
	ended   chan error
	watch   sync.WaitGroup
	closing sync.Once
}

// start builds a node and runs it until ctx ends.
func start(ctx context.Context, f nodeFlags, diag io.Writer) (*native, error) {
	n := &native{ended: make(chan error, 1)}
	if err := n.build(f, diag); err != nil {
		return nil, errors.Join(err, n.close())
	}
	ctx, n.cancel = context.WithCancel(ctx)
	n.watch.Go(func() { n.log(ctx, f, diag) })
	if n.spans != nil {
		n.watch.Go(func() { _ = n.spans.Serve(ctx) }) // it ends with ctx only
	}
	if f.Policy != "" {
		hangup, try := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP) // from here on it does not end the program
		notifyTry(try)
		n.watch.Go(func() { n.reloadOn(ctx, hangup, try, f, diag) })
	}
	go func() { n.ended <- n.Run(ctx, n.mesh) }()
	return n, nil
}

// build makes the parts in order; close undoes as many as there are.
func (n *native) build(f nodeFlags, diag io.Writer) error {
	cfg := node.Config{
		Name: string(f.Name), Kind: "native", Capabilities: texts(f.Capabilities), GeoHash: string(f.Geo), CreditCost: uint64(f.Cost),
		Slots: f.slots(), Allowance: uint64(f.Allowance), StrangerLine: uint64(f.CreditLine), Overdue: f.overdue(),
		Hedge: f.Hedge, Near: string(f.Near),
	}
	if f.Data != "" {
		if err := os.MkdirAll(f.Data, 0o700); err != nil {
			return err
		}
		if f.Key == "" {
			f.Key = filepath.Join(f.Data, "key")
		}
		dir, log, done, err := openLedger(f.Data, diag)
		if err != nil {
			return err
		}
		n.undo = append(n.undo, done)
		cfg.Log = log
		keep, err := store.OpenKV(dir, keepName)
		if err != nil {
			return err
		}
		n.undo = append(n.undo, keep.Close)
		cfg.Keep = keep
	}
	var err error
	if f.OTLP != "" {
		n.spans, err = otlp.New(string(f.OTLP), func(err error) { fmt.Fprintln(diag, "inos: spans lost:", err) })
		if err != nil {
			return err
		}
		cfg.Export = n.spans.Offer
	}
	if cfg.Key, err = keyOf(f.Key); err != nil {
		return err
	}
	if cfg.Ownership, err = loadOwnership(f.Owner); err != nil {
		return err
	}
	if cfg.Policy, err = loadPolicy(f.Policy, f.signers(peerOf(cfg.Key))); err != nil {
		return err
	}
	runtime, err := newRuntime(f.Data)
	if err != nil {
		return err
	}
	n.undo = append(n.undo, runtime.Close)
	cfg.Runtime = runtime
	if n.Node, err = node.New(cfg); err != nil {
		return err
	}
	n.undo = append(n.undo, n.Ledger.Close)
	if err := n.publish(f.Capsules); err != nil {
		return err
	}
	if len(f.Listen) == 0 {
		f.Listen = []listenAddr{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}
	}
	n.mesh, err = p2p.New(p2p.Config{
		Key: cfg.Key, Handler: n.Kernel, Notes: n.Notes(), Listen: texts(f.Listen), Bootstrap: texts(f.Bootstrap), ArtificialLatency: time.Duration(f.Latency),
	})
	if err != nil {
		return err
	}
	n.undo = append(n.undo, n.mesh.Close)
	return nil
}

// keyOf is the key in path, made there if there is none; without a path it is one for
// this run only.
func keyOf(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		return keyfile.Generate()
	}
	return keyfile.LoadOrMake(path)
}

// close undoes build, the last part first.
func (n *native) close() error {
	var errs []error
	for _, undo := range slices.Backward(n.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

// reloadOn puts the policy file in force again on every hangup, and says on every
// try what it would have decided about the jobs remembered. One that does not parse
// or verify leaves the old one.
func (n *native) reloadOn(ctx context.Context, hangup, try chan os.Signal, f nodeFlags, diag io.Writer) {
	defer signal.Stop(hangup)
	defer signal.Stop(try)
	for {
		select {
		case <-hangup:
			p, err := loadPolicy(f.Policy, f.signers(n.mesh.Self()))
			var done governance.Enforced
			if err == nil {
				done, err = n.Replace(p)
			}
			if err != nil {
				fmt.Fprintln(diag, "inos: policy not taken, the old one stays:", err)
				continue
			}
			fmt.Fprintf(diag, "inos: policy %q version %d is in force; under it ", p.Name, p.Version)
			_ = governance.ShowDryRun(diag, done.Changes, done.Looked) // diagnostics that are gone cannot be told
		case <-try:
			p, err := loadPolicy(f.Policy, f.signers(n.mesh.Self()))
			if err != nil {
				fmt.Fprintln(diag, "inos: policy would not be taken:", err)
				continue
			}
			changes, looked, err := n.Gate.DryRun(p)
			if err != nil {
				fmt.Fprintln(diag, "inos: policy would not be taken:", err)
				continue
			}
			fmt.Fprintf(diag, "inos: policy %q version %d is not in force; under it ", p.Name, p.Version)
			_ = governance.ShowDryRun(diag, changes, looked)
		case <-ctx.Done():
			return
		}
	}
}

// wait blocks until the node has ended and everything is closed.
func (n *native) wait() error {
	err := <-n.ended
	n.cancel()
	n.watch.Wait()
	return errors.Join(ignoreCancel(err), n.close())
}

// stop ends the node; wait returns soon after.
func (n *native) stop() { n.closing.Do(n.cancel) }

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// publish puts every .wasm of dir on the node's shelf, under its file name
// without extension and content hash.
func (n *native) publish(dir string) error {
	if dir == "" {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("--capsules: no .wasm in %s", dir)
	}
	for _, path := range paths {
		wasm, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if _, err := n.Library.Publish(name, wasm); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// readyEvent is the first line a node prints on standard output.
type readyEvent struct {
	Event    string   `json:"event"`
	PeerID   string   `json:"peerId"`
	LedgerID string   `json:"ledgerId"`
	Addrs    []string `json:"addrs"`
	HTTP     string   `json:"http,omitempty"`
}

func (n *native) ready() readyEvent {
	return readyEvent{Event: "ready", PeerID: string(n.mesh.Self()), LedgerID: string(n.Wallet.Ledger()), Addrs: n.mesh.Addrs()}
}

func printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // standard output that is gone cannot be told
}
