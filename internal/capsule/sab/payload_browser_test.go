//go:build js && browser

package sab_test

import (
	"testing"

	"inos/internal/capsule"
)

func BenchmarkWrite64MiB(b *testing.B) {
	m, err := newRuntime(b).Compile(b.Context(), built("flood"))
	if err != nil {
		b.Fatal(err)
	}
	in, err := m.Instantiate(b.Context(), 1, 256<<20)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Kill()
	mem := in.Memory()
	if _, err := mem.Grow(128 << 20); err != nil {
		b.Fatal(err)
	}
	input := make([]byte, 64<<20)
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := mem.Write(48<<20, input); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunOf(b *testing.B) {
	for name, size := range map[string]int{"64B": 64, "1MiB": 1 << 20, "64MiB": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			m, err := newRuntime(b).Compile(b.Context(), built("flood"))
			if err != nil {
				b.Fatal(err)
			}
			c := open(b, m, capsule.Config{MemoryLimit: 256 << 20})
			input := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := c.Run(b.Context(), capsule.Task{Method: "nothing", Input: input}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
