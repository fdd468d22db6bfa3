package main

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"inos/internal/kernel"
	"inos/internal/threads/matchmaker"
)

var loopback = []listenAddr{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}

// A job that ends with its time ends with its deadline, and not with the end of the node
// that was started for it.
func TestJobEndsWithItsDeadline(t *testing.T) {
	n, err := start(context.Background(), nodeFlags{Name: "idle", Listen: loopback}, io.Discard)
	require.NoError(t, err)
	defer func() {
		n.stop()
		require.NoError(t, n.wait())
	}()
	var jobs sync.WaitGroup
	for range 5 {
		jobs.Go(func() {
			_, _, err := inos(t, "job", "--bootstrap", n.mesh.Addrs()[0], "--capsule", "../../build/capsules/hash.wasm", "--input", "/dev/null", "--timeout", "3s")
			assert.ErrorIs(t, err, matchmaker.ErrDeadline)
			assert.NotErrorIs(t, err, matchmaker.ErrStopped)
			assert.NotErrorIs(t, err, kernel.ErrStopped)
		})
	}
	jobs.Wait()
}

// A job without requirements waits until it has heard of the nodes that are there, and
// for those that come.
func TestJobWaitsForProfiles(t *testing.T) {
	hub, err := start(context.Background(), nodeFlags{Name: "hub", Listen: loopback}, io.Discard)
	require.NoError(t, err)
	stop := func(n *native) {
		n.stop()
		require.NoError(t, n.wait())
	}
	defer stop(hub)
	joining := make(chan *native, 1)
	time.AfterFunc(time.Second, func() {
		w, err := start(context.Background(), nodeFlags{Name: "worker", Slots: 1, CreditLine: 10_000_000, Listen: loopback, Bootstrap: []dialAddr{dialAddr(hub.mesh.Addrs()[0])}}, io.Discard)
		if err != nil {
			panic(err)
		}
		joining <- w
	})
	out, _, err := inos(t, "job", "--bootstrap", hub.mesh.Addrs()[0], "--capsule", "../../build/capsules/hash.wasm", "--method", "sha256", "--input", "/dev/null", "--timeout", "50s")
	defer stop(<-joining)
	require.NoError(t, err)
	require.Contains(t, out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
}
