package p2p

import (
	"context"
	"testing"

	"inos/internal/testkit"
)

// BenchmarkJob is one job without input, there and back on loopback.
func BenchmarkJob(b *testing.B) {
	open := func(i int, via ...string) *Mesh {
		m, err := New(Config{Key: testkit.Key(i), Handler: newWorker(), Listen: []string{listenWT}, Bootstrap: via})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = m.Close() })
		return m
	}
	far := open(900)
	near := open(901)
	if _, err := near.Connect(context.Background(), far.Addrs()[0]); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := near.RunJob(context.Background(), far.Self(), call("", nil), nil); err != nil {
			b.Fatal(err)
		}
	}
}
