package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

// smallDisk is an empty file system of a few MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=16m"); errors.Is(err, syscall.EPERM) {
		t.Skip("only root may mount; cmd/internal/node holds the same with a log that refuses")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill writes to a file at path until nothing fits any more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			size /= 2
		}
	}
	require.NoError(t, f.Close())
}

// A node whose disk is full offers no slots, says so once, in its log and its health, and
// goes on by itself once there is room; jobs wait for it meanwhile.
func TestAFullDiskTakesANodeOutOfService(t *testing.T) {
	disk := smallDisk(t)
	worker := run(t, nil, "node", "--name", "worker", "--listen", string(loopback[0]), "--capabilities", "storage", "--cost", "1000",
		"--slots", "2", "--data", filepath.Join(disk, "data"), "--log", "json")
	defer worker.crash()
	n, dispatch := customer(t, worker.ready.Addrs[0])
	heard(t, n, 1)
	_, err := dispatch("1000")
	require.NoError(t, err)
	offered := func() uint32 {
		nodes, err := n.Kernel.Nodes(t.Context())
		require.NoError(t, err)
		for _, k := range nodes {
			if k.Profile.Peer == identity.PeerID(worker.ready.PeerID) {
				return k.Profile.FreeSlots
			}
		}
		return 99
	}
	require.Eventually(t, func() bool { return offered() == 2 }, time.Minute, 10*time.Millisecond)

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	ended := make(chan error, 1)
	full, waits := make(chan struct{}), false
	go func() { // the newest page of each log has room for some
		var err error
		for !waits && err == nil {
			_, err = dispatch("1000")
			select {
			case <-full:
				waits = true
			default:
			}
		}
		ended <- err
	}()
	worker.until("books:changed", 1)
	require.Eventually(t, func() bool { return offered() == 0 }, time.Minute, 10*time.Millisecond, "no free slots")
	close(full)
	code, body := get(t, worker.ready.Monitor+"/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, body, `"status":"unwritable"`)
	require.Contains(t, body, "no space left")
	code, body = get(t, worker.ready.Monitor+"/healthz")
	require.Equal(t, 200, code, "it lives: to start it again would not help")
	require.Contains(t, body, `"status":"unwritable"`)
	_, body = get(t, worker.ready.Monitor+"/metrics")
	require.Contains(t, body, "inos_ledger_writable 0")
	time.Sleep(4 * time.Second) // of tries that fail: there is no signal for what is not said
	require.Equal(t, 1, strings.Count(worker.said(), "books:changed"), worker.said())
	require.Zero(t, offered())

	require.NoError(t, os.Remove(filler))
	room := time.Now()
	worker.until("books:changed", 2)
	t.Logf("back in service %v after there was room", time.Since(room))
	require.NoError(t, <-ended)
	require.Eventually(t, func() bool { return offered() == 2 }, time.Minute, 10*time.Millisecond)
	code, _ = get(t, worker.ready.Monitor+"/readyz")
	require.Equal(t, 200, code)
	_, err = dispatch("1000")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(worker.said(), "books:changed"), "once each")
	worker.crash()
	out, _, err := inos(t, "ledger", "verify", "--data", filepath.Join(disk, "data"))
	require.NoError(t, err)
	require.Contains(t, out, "held 0 in 0 holds")
}
