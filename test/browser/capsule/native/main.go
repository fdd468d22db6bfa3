// Command native is the native node of the migration test: it restores a word
// count from the image in its first argument under wazero, streams its standard
// input to it, and writes the image it then takes to its standard output.
//
//	native IMAGE WASM < text > image
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/wire"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "native:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, image, module string) error {
	blob, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	im, err := capsule.DecodeImage(blob, 1<<30)
	if err != nil {
		return err
	}
	wasm, err := os.ReadFile(module)
	if err != nil {
		return err
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
	c, err := capsule.Restore(ctx, mod, im, capsule.Config{ID: "native", Codec: wire.Capsules{}})
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for {
		part := make([]byte, 1000)
		n, err := io.ReadFull(in, part)
		if n > 0 {
			if err := c.Send(ctx, part[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			break
		}
	}
	if r, err := c.Command(ctx, capsule.Command{Type: capsule.Pause}); err != nil || r.Code != capsule.OK {
		return errors.Join(err, errors.New(r.Message))
	}
	im, r, err := c.Snapshot(ctx, capsule.Command{Type: capsule.Snapshot})
	if err != nil || r.Code != capsule.OK {
		return errors.Join(err, errors.New(r.Message))
	}
	_, err = os.Stdout.Write(im.Encode(true))
	return err
}
