//go:build !js

// Package crash kills a process that acknowledges work, for the tests of what must outlast it. The
// process is the test's own binary; the environment tells it its task.
package crash

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
)

const workers = 50

// Acknowledge does work from 50 goroutines and prints each nonce on standard output once its work
// is done, until the process is killed. It returns the first error; the work of that call is not
// acknowledged.
func Acknowledge(work func() (credit.Nonce, error)) error {
	var out sync.Mutex
	failed := make(chan error)
	for range workers {
		go func() {
			for {
				nonce, err := work()
				if err == nil {
					out.Lock()
					_, err = fmt.Fprintln(os.Stdout, hex.EncodeToString(nonce[:]))
					out.Unlock()
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// Kill runs the test's binary with env, kills it with SIGKILL at the n-th acknowledgement and
// returns all acknowledgements that were read.
func Kill(t *testing.T, n int, env ...string) (acked []credit.Nonce) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for in := bufio.NewReader(out); ; {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line that was cut short is no acknowledgement
		}
		require.NoError(t, err)
		raw, err := hex.DecodeString(line[:len(line)-1])
		require.NoError(t, err)
		acked = append(acked, credit.Nonce(raw))
		if len(acked) == n {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	require.GreaterOrEqual(t, len(acked), n, "the process ended by itself")
	return acked
}
