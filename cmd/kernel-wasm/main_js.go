// Command kernel-wasm is the kernel in the browser: the Go program of one Worker. It builds the
// parts, joins the mesh, serves the console API and blocks until the page closes it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"inos/cmd/internal/node"
	"inos/internal/bridge"
	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/identity"
	"inos/internal/mesh/p2p"
)

// version is set by the linker (Makefile).
var version = "dev"

// maxNodes bounds the nodes that a page's kernel knows: some 45 MB, even if they are invented.
const maxNodes = 100_000

// allowance is what the kernel's own ledger may promise: 100 credits.
const allowance = 100_000_000

// memory bounds a page's inputs, outputs, capsules and snapshots, in bytes, unless the shell sets
// another bound. A kernel can have 4 GiB in all.
const memory = 3 << 29

func main() {
	if err := run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "kernel:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg, err := bridge.ReadBoot()
	if err != nil {
		return err
	}
	cids := make([]capsule.CID, len(cfg.Capsules))
	for i, c := range cfg.Capsules {
		if cids[i], err = capsule.ParseCID(c.CID); err != nil {
			return fmt.Errorf("the capsule %q of __inosConfig: %w", c.Name, err)
		}
	}
	if n := len(cfg.Bootstrap); n > p2p.MaxBootstrap {
		fmt.Fprintf(os.Stderr, "kernel: %d bootstrap addresses: the first %d are used\n", n, p2p.MaxBootstrap)
		cfg.Bootstrap = cfg.Bootstrap[:p2p.MaxBootstrap]
	}
	runtime := sab.New(sab.Config{})
	heartbeats := make(chan string, 256)
	kept, n, err := keptNode(func(k kept) (*node.Node, error) {
		return node.New(node.Config{
			Key: k.key, Name: cfg.Name, Kind: "browser", Capabilities: cfg.Capabilities, CreditCost: cfg.CreditCost,
			OnHeartbeat: func(id string) {
				select {
				case heartbeats <- id:
				default: // the next one follows in a quarter of a second
				}
			},
			Nodes: maxNodes, Slots: cfg.Slots, Memory: budget.New(cmp.Or(cfg.Memory, memory)), Hedge: cfg.Hedge, Near: cfg.Near, Runtime: runtime, Log: k.log, Keep: k.keep, KeptPolicy: true, Allowance: allowance, StrangerLine: allowance / 10,
		})
	})
	if err != nil {
		return err
	}
	for i, c := range cfg.Capsules {
		n.Library.Announce(c.Name, cids[i], bridge.Fetch(c.URL))
	}
	// Joining reports the addresses that cannot be dialled; they must not stop the kernel.
	dialable := slices.DeleteFunc(slices.Clone(cfg.Bootstrap), func(addr string) bool { return p2p.CheckAddr(addr) != nil })
	mesh, err := p2p.New(p2p.Config{Key: kept.key, Handler: n.Kernel, Requests: n.Requests(), Bootstrap: dialable, Sequence: n.Sequence()})
	if err != nil {
		return err
	}

	var work sync.WaitGroup
	ended := make(chan error, 1)
	work.Go(func() {
		ended <- n.Run(ctx, nil)
		cancel()
	})
	bridge.Serve(ctx, bridge.Config{
		Kernel: n.Kernel, Library: n.Library, Capsules: n, Name: cfg.Name,
		Join:    func(ctx context.Context) error { return n.Kernel.Join(ctx, mesh, cfg.Bootstrap) },
		Connect: func(ctx context.Context, addr string) (identity.PeerID, error) { return mesh.Connect(ctx, addr) },
		Enforce: n.Enforce,
		Gate:    n.Gate, Wallet: n.Signer, Ledger: n.Ledger, Log: kept.log, Storage: kept.storage, Heartbeats: heartbeats, Version: version, Bootstrap: cfg.Bootstrap, Close: cancel,
	})
	work.Wait()
	return errors.Join(<-ended, mesh.Close(), runtime.Close(), n.Ledger.Close(), kept.close())
}
