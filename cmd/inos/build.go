package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"inos/cmd/internal/node"
	"inos/internal/keyfile"
	"inos/internal/mesh/p2p"
	"inos/internal/store"
	"inos/internal/trace/otlp"
)

// wallClock is this machine's clock; nil means time.Now. Tests build a program with another clock
// (build tag wrongclock).
var wallClock func() time.Time

// build makes the parts in order; close undoes those that were made.
func (n *native) build(f nodeFlags) error {
	cfg := node.Config{
		Name: string(f.Name), Kind: "native", Capabilities: texts(f.Capabilities), GeoHash: string(f.Geo), CreditCost: uint64(f.Cost),
		Slots: f.slots(), Allowance: uint64(f.Allowance), StrangerLine: uint64(f.CreditLine), Overdue: f.overdue(),
		Hedge: f.Hedge, Near: string(f.Near), Now: wallClock,
	}
	if f.Data != "" {
		if err := os.MkdirAll(f.Data, 0o700); err != nil {
			return err
		}
		if f.Key == "" {
			f.Key = filepath.Join(f.Data, "key")
		}
		dir, log, done, err := openLedger(f.Data, n.logger)
		if err != nil {
			return err
		}
		n.undo = append(n.undo, done)
		log.Bound(int64(f.LedgerLog))
		cfg.Log = log
		keep, err := store.OpenKV(dir, keepName)
		if err != nil {
			return err
		}
		n.undo = append(n.undo, keep.Close)
		cfg.Keep = keep
	}
	var err error
	if f.OTLP != "" || otlp.InEnvironment() {
		n.spans, err = otlp.New(string(f.OTLP), func(err error) { n.logger.Warn("spans lost", "error", err) })
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
	cfg.Memory = newBudget(uint64(f.Memory))
	runtime, err := newRuntime(f.Data, cfg.Memory)
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
		Key: cfg.Key, Handler: n.Kernel, Requests: n.Requests(), Listen: texts(f.Listen), Bootstrap: texts(f.Bootstrap), ArtificialLatency: time.Duration(f.Latency),
		Sequence: n.Sequence(), Now: wallClock,
	})
	if err != nil {
		return err
	}
	n.undo = append(n.undo, n.mesh.Close)
	return nil
}

// keyOf reads the key in path, and makes it if there is none. Without a path it makes a key for
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

// publish puts every .wasm file of dir into the library, under its file name without extension and
// its content hash.
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
		if _, err := n.Library.Publish(nameOf(path), wasm); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// nameOf is the capsule's name in its file's name: the part before the first dot.
func nameOf(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}
