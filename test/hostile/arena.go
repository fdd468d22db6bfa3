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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh/p2p"
)

// arena is a node, and somebody honest who pings it all the time.
type arena struct {
	inos, capsules, folder string

	node *exec.Cmd
	addr string

	mesh    *p2p.Mesh
	peer    identity.PeerID
	stop    context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	slowest time.Duration // of all pings
	lost    error         // the first ping that failed
	memory  uint64        // most that the node and its children had resident, in bytes
}

// pingEvery is how often the honest peer asks, and how often the memory is looked at.
const pingEvery = 20 * time.Millisecond

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

// watch begins the honest peer's pings and the looks at the memory.
func (a *arena) watch(ctx context.Context) error {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	if a.mesh, err = p2p.New(p2p.Config{Key: key}); err != nil {
		return err
	}
	if a.peer, err = a.mesh.Connect(ctx, a.addr); err != nil {
		return err
	}
	ctx, a.stop = context.WithCancel(ctx)
	a.working.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			_, err := a.mesh.Ping(ctx, a.peer)
			took := time.Since(began)
			if ctx.Err() != nil {
				return
			}
			a.mu.Lock()
			a.slowest = max(a.slowest, took)
			if err != nil && a.lost == nil {
				a.lost = err
			}
			a.mu.Unlock()
			pause(ctx, pingEvery)
		}
	})
	a.working.Go(func() {
		for ctx.Err() == nil {
			now := a.resident()
			a.mu.Lock()
			a.memory = max(a.memory, now)
			a.mu.Unlock()
			pause(ctx, pingEvery)
		}
	})
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pinged is the slowest ping until now.
func (a *arena) pinged() (time.Duration, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.slowest, a.lost
}

func (a *arena) mostMemory() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory
}

// resident is what the node and its children have in memory now.
func (a *arena) resident() uint64 {
	pid := a.node.Process.Pid
	total := rss(pid)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			total += rss(n)
		}
	}
	return total
}

func rss(pid int) uint64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if fields := strings.Fields(string(statm)); err == nil && len(fields) > 1 {
		n, _ := strconv.ParseUint(fields[1], 10, 64)
		return n * uint64(os.Getpagesize())
	}
	return 0
}

// processor is how much of a processor's time the node has used.
func (a *arena) processor() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.node.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const user, system, ticks = 11, 12, 100
	if len(fields) <= system {
		return 0
	}
	u, _ := strconv.ParseInt(fields[user], 10, 64)
	s, _ := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * time.Second / ticks
}

// job has inos job run a capsule with a fresh key. It returns what that printed.
func (a *arena) job(ctx context.Context, capsule string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, a.inos, append([]string{"job", "--quiet", "--bootstrap", a.addr, "--capsule", capsule}, args...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("honest"), &said, &said
	err := cmd.Run()
	return strings.TrimSpace(said.String()), err
}

// file writes a module where a job can name it.
func (a *arena) file(name string, wasm []byte) (string, error) {
	path := filepath.Join(a.folder, name+".wasm")
	return path, os.WriteFile(path, wasm, 0o600)
}

func (a *arena) hostile(name string) string {
	return filepath.Join(a.capsules, "hostile", name+".wasm")
}

// honest runs a good capsule: the node still serves.
func (a *arena) honest(ctx context.Context) error {
	if said, err := a.job(ctx, filepath.Join(a.capsules, "hash.wasm"), "--timeout", "30s"); err != nil {
		return fmt.Errorf("an honest job afterwards: %w: %s", err, said)
	}
	return nil
}

// close ends the node as an operator does.
func (a *arena) close() error {
	if a.stop != nil {
		a.stop()
	}
	a.working.Wait()
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
