package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"inos/cmd/internal/node"
	"inos/internal/capsule/wazero"
	"inos/internal/kernel"
	"inos/internal/mesh/p2p"
)

func runNode(ctx context.Context, args []string, out, diag io.Writer) error {
	set := flag.NewFlagSet("node", flag.ContinueOnError)
	var f nodeFlags
	f.register(set)
	if err := parse(set, args, diag); err != nil {
		return err
	}
	n, err := start(ctx, f, diag)
	if err != nil {
		return err
	}
	printJSON(out, n.ready())
	return n.wait()
}

// native is a node of this process, running.
type native struct {
	*node.Node
	mesh    *p2p.Mesh
	runtime *wazero.Runtime
	cancel  context.CancelFunc
	ended   chan error
	closing sync.Once
}

// start builds a node and runs it until ctx ends.
func start(ctx context.Context, f nodeFlags, diag io.Writer) (*native, error) {
	key, err := loadKey(f.key)
	if err != nil {
		return nil, err
	}
	runtime, err := wazero.New(wazero.Config{})
	if err != nil {
		return nil, err
	}
	n := &native{runtime: runtime, ended: make(chan error, 1)}
	n.Node, err = node.New(node.Config{
		Key: key, Name: f.name, Kind: "native", Capabilities: f.capabilities, GeoHash: f.geo, CreditCost: f.cost,
		Slots: f.slots, Runtime: runtime, Allowance: f.allowance, StrangerLine: f.creditLine,
	})
	if err != nil {
		return nil, errors.Join(err, runtime.Close())
	}
	if err := n.publish(f.capsules); err != nil {
		return nil, errors.Join(err, runtime.Close())
	}
	if len(f.listen) == 0 {
		f.listen = list{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}
	}
	n.mesh, err = p2p.New(p2p.Config{
		Key: key, Handler: n.Kernel, Listen: f.listen, Bootstrap: f.bootstrap, ArtificialLatency: f.latency,
	})
	if err != nil {
		return nil, errors.Join(err, runtime.Close())
	}
	ctx, n.cancel = context.WithCancel(ctx)
	go n.log(ctx, f, diag)
	go func() { n.ended <- n.Kernel.Run(ctx, n.mesh) }()
	return n, nil
}

// wait blocks until the node has ended and everything is closed.
func (n *native) wait() error {
	err := <-n.ended
	n.cancel()
	err = errors.Join(ignoreCancel(err), n.mesh.Close(), n.runtime.Close(), n.Ledger.Close())
	return err
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
		return fmt.Errorf("-capsules: no .wasm in %s", dir)
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

// log writes the kernel's events to diag: warnings always, the rest with -v.
func (n *native) log(ctx context.Context, f nodeFlags, diag io.Writer) {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(diag, &slog.HandlerOptions{Level: level})).With("node", f.name)
	events, cancel := n.Kernel.Subscribe(1024)
	defer cancel()
	for {
		select {
		case e := <-events:
			logEvent(ctx, logger, e)
		case <-ctx.Done():
			return
		}
	}
}

func logEvent(ctx context.Context, logger *slog.Logger, e kernel.Event) {
	switch e := e.(type) {
	case kernel.JobAdmitted:
		logger.InfoContext(ctx, e.Name(), "job", e.JobID, "from", e.From, "ledger", e.Decision.Ledger)
	case kernel.JobRejected:
		logger.WarnContext(ctx, e.Name(), "job", e.JobID, "from", e.From, "code", e.Reason, "error", e.Err)
	case kernel.JobEnded:
		level := slog.LevelInfo
		if e.Err != nil {
			level = slog.LevelWarn
		}
		logger.Log(ctx, level, e.Name(), "job", e.JobID, "from", e.From, "run", e.Outcome.Run, "cost", e.Outcome.Cost,
			"fetched", e.Outcome.FetchedBytes, "error", e.Err)
	case kernel.ServiceFailed:
		logger.ErrorContext(ctx, e.Name(), "service", e.Service, "error", e.Message)
	case kernel.PeerConnected:
		logger.DebugContext(ctx, e.Name(), "peer", e.Peer)
	case kernel.PeerDisconnected:
		logger.DebugContext(ctx, e.Name(), "peer", e.Peer)
	default:
		logger.DebugContext(ctx, e.Name())
	}
}
