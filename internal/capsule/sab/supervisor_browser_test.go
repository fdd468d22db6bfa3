//go:build js && browser

package sab_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// The supervisor over real Workers: it runs jobs, starts again what crashed,
// kills what is silent, and leaves nothing.
func TestSupervised(t *testing.T) {
	hash, fault := built("hash"), built("fault")
	cid, faulty := capsule.SumCID(hash), capsule.SumCID(fault)

	var mu sync.Mutex
	ended := map[string]string{}
	restarted := make(chan struct{})
	s, err := supervisor.New(supervisor.Config{
		Runtime: newRuntime(t), Codec: wire.Capsules{}, Blobs: capsules.ModulesOf(hash, fault), MaxCapsules: 4, CancelGrace: 300 * time.Millisecond,
		Emit: func(e supervisor.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch e := e.(type) {
			case supervisor.CapsuleEnded:
				ended[e.ID] = e.Reason
			case supervisor.CapsuleStarted:
				if e.Restarts > 0 {
					close(restarted)
				}
			}
		},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	defer func() { stop(); <-served }()

	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			input := random(100_000 + i)
			out, err := s.Run(ctx, cid, supervisor.Limits{}, capsule.Task{Method: "both", Input: input}, nil)
			if err != nil || string(out) != hashed(input) {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	wg.Wait()

	spawn := func(p capsule.SpawnParams) capsule.Reply {
		return s.Command(ctx, capsule.Command{ID: "spawn", Type: capsule.Spawn, Spawn: &p})
	}
	r := spawn(capsule.SpawnParams{CID: cid.String(), MemoryLimit: 8 << 20})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	r = s.Command(ctx, capsule.Command{ID: "kill", Type: capsule.Kill, Target: r.CapsuleID, Kill: &capsule.KillParams{Reason: "enough"}})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	require.Equal(t, "enough", ended[r.CapsuleID])

	r = spawn(capsule.SpawnParams{Wasm: panics.wasm()})
	require.Equal(t, capsule.Crashed, r.Code)
	require.Contains(t, r.Message, "index 9 out of range")
	r = spawn(capsule.SpawnParams{Wasm: []byte("not wasm")})
	require.Equal(t, capsule.Refused, r.Code)

	// Every way to go wrong is named, and hurts nobody else.
	for _, c := range []struct {
		method, arg string
		err         error
		says        string
	}{
		{"panic", "", capsule.ErrPanicked, "on demand: ünïcode and all"},
		{"trap", "", capsule.ErrTrap, "unreachable"},
		{"overflow", "", capsule.ErrTrap, ""},
		{"lie", "tail", capsule.ErrRingBroken, ""},
		{"lie", "garbage", capsule.ErrProtocol, ""},
		{"spin", "", supervisor.ErrTimeLimit, ""},
	} {
		limits := supervisor.Limits{MemoryBytes: 8 << 20, Time: 3 * time.Second}
		_, err := s.Run(ctx, faulty, limits, capsule.Task{Method: c.method, Args: []string{c.arg}}, nil)
		require.ErrorIs(t, err, c.err, c.method)
		require.ErrorContains(t, err, c.says)
		t.Logf("%s %s: %v", c.method, c.arg, err)
		_, err = s.Run(ctx, cid, supervisor.Limits{}, capsule.Task{Method: "both"}, nil)
		require.NoError(t, err)
	}

	// One that was spawned is started again.
	r = spawn(capsule.SpawnParams{CID: faulty.String()})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	_, err = s.Call(ctx, r.CapsuleID, 0, capsule.Task{Method: "panic"}, nil)
	require.ErrorIs(t, err, capsule.ErrPanicked)
	<-restarted
	out, err := s.Call(ctx, r.CapsuleID, 0, capsule.Task{Method: "echo", Input: []byte("back")}, nil)
	require.NoError(t, err)
	require.Equal(t, "back", string(out))

	// A time limit that a big job cannot keep: the capsule lets go, or is killed.
	began := time.Now()
	_, err = s.Run(ctx, cid, supervisor.Limits{Time: 20 * time.Millisecond}, capsule.Task{Method: "both", Input: make([]byte, 32<<20)}, nil)
	require.ErrorIs(t, err, supervisor.ErrTimeLimit)
	t.Logf("limit of 20 ms kept after %v", time.Since(began))
}
