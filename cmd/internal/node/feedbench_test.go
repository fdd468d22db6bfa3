//go:build !js

package node

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
)

// text gives the same line over and over, to n bytes.
type text struct{ left int64 }

const line = "the quick brown fox jumps over the lazy dog\n"

func (r *text) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	for at := 0; at < len(p); {
		at += copy(p[at:], line[(int64(at)-r.left%int64(len(line))+2*int64(len(line)))%int64(len(line)):])
	}
	r.left -= int64(len(p))
	return len(p), nil
}

// Beside each other in one run: the ring alone, the ring behind the kernel's valve,
// and that across two nodes.
func BenchmarkFeed(b *testing.B) {
	home, far := start(b, 71, nil), start(b, 72, trusting(71))
	require.NoError(b, home.Kernel.Join(b.Context(), home.mesh, far.mesh.Addrs()))
	const size = 16 << 20
	for _, name := range []string{"wordcount", "flood"} {
		id := map[*peer]string{}
		for _, p := range []*peer{home, far} {
			id[p] = spawn(b, home, p, name).CapsuleID
		}
		b.Run(name+"/ring", func(b *testing.B) {
			b.SetBytes(size)
			buf := make([]byte, 16<<10)
			for b.Loop() {
				for r := (&text{size}); r.left > 0; {
					n, _ := r.Read(buf)
					require.NoError(b, home.Supervisor.Send(b.Context(), id[home], buf[:n]))
				}
			}
		})
		b.Run(name+"/valve", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				_, err := home.Kernel.Feed(b.Context(), "", id[home], &text{size}, lifecycle.FeedOptions{})
				require.NoError(b, err)
			}
		})
		b.Run(name+"/mesh", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				_, err := home.Kernel.Feed(b.Context(), far.mesh.Self(), id[far], &text{size}, lifecycle.FeedOptions{})
				require.NoError(b, err)
			}
		})
	}
}

// spawn starts a capsule on a node for home, which is that node or may spawn there.
func spawn(t testing.TB, home, on *peer, name string) capsule.Reply {
	t.Helper()
	wasm := capsules.Built(t, name)
	return command(t, home, on, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{
		CID: capsule.SumCID(wasm).String(), Wasm: wasm, CreditLedgerID: string(home.Signer.Ledger()),
	}})
}

// command gives one that must be obeyed.
func command(t testing.TB, home, on *peer, cmd capsule.Command) capsule.Reply {
	t.Helper()
	cmd.ID, cmd.Deadline = "test", time.Now().Add(time.Minute)
	r, err := home.Kernel.Command(t.Context(), on.mesh.Self(), cmd)
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	return r
}

// trusting lets the node of a seed spawn here.
func trusting(seed byte) func(*Config) {
	return func(c *Config) {
		c.Policy = governance.Policy{Lifecycle: []governance.LifecycleRule{{Peer: testkit.Peer(seed), Commands: []capsule.CommandType{capsule.Spawn}}}}
	}
}
