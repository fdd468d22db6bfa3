//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"inos/internal/mesh/p2p"
)

// arena is a node, with an honest peer that pings it all the time.
type arena struct {
	inos, capsules, folder string

	node *exec.Cmd
	addr string

	mesh *p2p.Mesh // the honest peer's
	pings
}

func newArena(ctx context.Context, inos, capsules string, flags ...string) (*arena, error) {
	folder, err := os.MkdirTemp("", "inos-hostile-")
	if err != nil {
		return nil, err
	}
	a := &arena{inos: inos, capsules: capsules, folder: folder}
	a.node = exec.Command(inos, append([]string{"node", "--data", filepath.Join(folder, "node"), "--memory", fmt.Sprintf("%dMiB", memoryOf)}, flags...)...)
	out, err := a.node.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	a.node.Stderr = log
	if err := a.node.Start(); err != nil {
		return nil, err
	}
	var ready struct{ Addrs []string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil || len(ready.Addrs) == 0 {
		return nil, errors.Join(fmt.Errorf("the node did not start: %w", err), a.close())
	}
	a.addr = ready.Addrs[0]
	if err := a.watch(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// watch begins the honest peer's pings and the samples of the memory.
func (a *arena) watch(ctx context.Context) error {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	if a.mesh, err = p2p.New(p2p.Config{Key: key}); err != nil {
		return err
	}
	peer, err := a.mesh.Connect(ctx, a.addr)
	if err != nil {
		return err
	}
	a.ping(ctx, a.mesh, peer, a.resident)
	return nil
}

// resident is the memory that the node and its children have now, in bytes.
func (a *arena) resident() uint64 { return resident(a.node.Process.Pid) }

// processor is the processor time that the node has used.
func (a *arena) processor() time.Duration { return processor(a.node.Process.Pid) }

// job runs a capsule by inos job with a fresh key. It returns the output of that program.
func (a *arena) job(ctx context.Context, capsule string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, a.inos, append([]string{"job", "--quiet", "--bootstrap", a.addr, "--capsule", capsule}, args...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("honest"), &said, &said
	err := cmd.Run()
	return strings.TrimSpace(said.String()), err
}

// file writes a module to a file that a job can name.
func (a *arena) file(name string, wasm []byte) (string, error) {
	path := filepath.Join(a.folder, name+".wasm")
	return path, os.WriteFile(path, wasm, 0o600)
}

func (a *arena) hostile(name string) string {
	return filepath.Join(a.capsules, "hostile", name+".wasm")
}

// honest runs a good capsule: it shows that the node still serves.
func (a *arena) honest(ctx context.Context) error {
	if said, err := a.job(ctx, filepath.Join(a.capsules, "hash.wasm"), "--timeout", "30s"); err != nil {
		return fmt.Errorf("an honest job afterwards: %w: %s", err, said)
	}
	return nil
}

// close ends the node as an operator would.
func (a *arena) close() error {
	a.end()
	var errs []error
	if a.mesh != nil {
		errs = append(errs, a.mesh.Close())
	}
	gone := make(chan error, 1)
	go func() { gone <- a.node.Wait() }()
	_ = a.node.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-gone:
		errs = append(errs, err)
	case <-time.After(30 * time.Second):
		_ = a.node.Process.Kill()
		errs = append(errs, errors.New("SIGTERM was not heeded within 30 s"), <-gone)
	}
	if err := errors.Join(errs...); err != nil {
		log, _ := os.ReadFile(filepath.Join(a.folder, "log"))
		return fmt.Errorf("%w: %s", err, tail(string(log)))
	}
	return os.RemoveAll(a.folder)
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
