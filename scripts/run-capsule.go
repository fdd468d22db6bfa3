//go:build ignore

// Runs one method of a capsule on this machine, without a mesh: input from
// standard input, output to standard output, what the capsule says to standard
// error. With -stream the input goes up the capsule's stream instead, as it comes, and
// the method runs after its end.
//
//	go run scripts/run-capsule.go [-stream] [-method NAME] [-memory BYTES] FILE.wasm [ARG...] <input >output
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/wire"
)

func main() {
	method := flag.String("method", "", "method to call; empty means the capsule's first")
	memory := flag.Uint64("memory", 0, "the most memory it may have, in bytes; 0 means what it declares")
	stream := flag.Bool("stream", false, "send the input as a stream, then call the method without")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, flag.Arg(0), *memory, *stream, capsule.Task{Method: *method, Args: flag.Args()[1:]})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, memory uint64, stream bool, task capsule.Task) (err error) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !stream {
		if task.Input, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
	}
	rt, err := wazero.New(wazero.Config{})
	if err != nil {
		return err
	}
	defer rt.Close()
	mod, err := rt.Compile(ctx, wasm)
	if err != nil {
		return err
	}
	start := time.Now()
	c, err := capsule.Open(ctx, mod, capsule.Config{
		ID: path, Codec: wire.Capsules{}, MemoryLimit: memory,
		OnLog: func(l capsule.Log) { fmt.Fprintln(os.Stderr, "log:", l.Text) },
	})
	if err != nil {
		return err
	}
	ready := time.Now()
	in := len(task.Input)
	if stream {
		if in, err = feed(ctx, c); err != nil {
			return err
		}
	}
	out, err := c.Run(ctx, task, func(p capsule.Progress) { fmt.Fprintf(os.Stderr, "\r%d of %d\033[K", p.Done, p.Total) })
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "\r\033[Kspawned in %s, ran in %s: %d bytes in, %d out\n",
		ready.Sub(start).Round(time.Microsecond), time.Since(ready).Round(time.Microsecond), in, len(out))
	_, err = os.Stdout.Write(out)
	return err
}

// feed sends standard input up c's stream, and returns how long it was.
func feed(ctx context.Context, c *capsule.Capsule) (n int, err error) {
	for frame := make([]byte, 16<<10); ; {
		got, err := os.Stdin.Read(frame)
		if got > 0 {
			n += got
			if err := c.Send(ctx, bytes.Clone(frame[:got])); err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
