//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is the program, running.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready readyEvent
	read  sync.WaitGroup

	mu    sync.Mutex
	lines []string // of standard error
	news  chan struct{}
}

// run starts the program and waits until it is ready.
func run(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), news: make(chan struct{}, 1)}
	p.cmd.Env = append(append(os.Environ(), asInos+"=1"), env...)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	diag, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.read.Go(func() {
		for lines := bufio.NewScanner(diag); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
			select {
			case p.news <- struct{}{}:
			default:
			}
		}
	})
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	first := bufio.NewReader(out)
	line, err := first.ReadString('\n')
	require.NoError(t, err, p.said())
	require.NoError(t, json.Unmarshal([]byte(line), &p.ready))
	return p
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// until waits until it has logged text so often.
func (p *process) until(text string, times int) {
	p.t.Helper()
	limit := time.After(time.Minute)
	for strings.Count(p.said(), text) < times {
		select {
		case <-p.news:
		case <-limit:
			p.t.Fatalf("never said %q %d times:\n%s", text, times, p.said())
		}
	}
}

func (p *process) signal(s syscall.Signal) { require.NoError(p.t, p.cmd.Process.Signal(s)) }

// end waits for the program's end and returns how it exited and its last line.
func (p *process) end() (state *os.ProcessState, last string) {
	p.t.Helper()
	p.read.Wait()
	_ = p.cmd.Wait() // the state says it
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.lines); n > 0 {
		last = p.lines[n-1]
	}
	return p.cmd.ProcessState, last
}
