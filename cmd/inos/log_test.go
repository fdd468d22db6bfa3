//go:build unix

package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// With --log json every line of standard error is JSON, whoever writes it, also of a
// node that cannot start; without, one line says why.
func TestEveryLineIsOfTheLog(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.LocalAddr().String())
	require.NoError(t, err)
	fail := func(more ...string) []string {
		t.Helper()
		cmd := exec.Command(os.Args[0], append([]string{"node", "--listen", "/ip4/127.0.0.1/udp/" + port + "/quic-v1"}, more...)...)
		cmd.Env = append(os.Environ(), asInos+"=1")
		var diag strings.Builder
		cmd.Stderr = &diag
		require.Error(t, cmd.Run())
		require.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
		return strings.Split(strings.TrimSpace(diag.String()), "\n")
	}
	lines := fail()
	require.Len(t, lines, 1, "%v", lines)
	require.Contains(t, lines[0], "cannot listen on /ip4/127.0.0.1/udp/"+port)
	for _, more := range [][]string{{"--log", "json"}, {"--log", "json", "-v"}} {
		lines = fail(more...)
		for _, line := range lines {
			require.True(t, json.Valid([]byte(line)), line)
		}
		require.Contains(t, lines[len(lines)-1], `"level":"ERROR"`)
	}
}
