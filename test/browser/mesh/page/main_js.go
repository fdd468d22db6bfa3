// Command page runs the browser's side of the mesh tests in a Worker: the
// transport against a plain go-libp2p node, then the whole mesh against nodes of
// its own kind. Addresses come as arguments; each test prints one line.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// addresses, from the command line: plain node, a mesh node, another behind it,
// two that will be killed.
type addresses struct{ plain, node, far, victim, plainVictim string }

var passed, failed int

// test runs f and prints how it went. A test that fails panics with fail.
func test(name string, f func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	start := time.Now()
	defer func() {
		switch r := recover().(type) {
		case nil:
			passed++
			fmt.Printf("ok   %s (%d ms)\n", name, time.Since(start).Milliseconds())
		case failure:
			failed++
			fmt.Printf("FAIL %s: %s\n", name, string(r))
		default:
			failed++
			fmt.Printf("FAIL %s: panic: %v\n%s\n", name, r, debug.Stack())
		}
	}()
	f(ctx)
}

type failure string

func must(ok bool, format string, args ...any) {
	if !ok {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func noErr(err error) { must(err == nil, "%v", err) }

func main() {
	a := addresses{os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]}
	testTransport(a)
	testMesh(a)
	fmt.Printf("done %d passed, %d failed\n", passed, failed)
}
