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

// addresses are those of the command line: a plain node, a mesh node, another behind it, and two
// that will be killed.
type addresses struct{ plain, node, far, victim, plainVictim string }

var passed, failed int

// test runs f and prints its result. A test that fails panics with fail; one that does not end with
// its context is abandoned and has failed.
func test(name string, f func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	start := time.Now()
	ended := make(chan string, 1)
	go func() {
		defer func() {
			switch r := recover().(type) {
			case nil:
				ended <- ""
			case failure:
				ended <- string(r)
			default:
				ended <- fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		f(ctx)
	}()
	why := ""
	select {
	case why = <-ended:
	case <-time.After(35 * time.Second):
		why = "hangs"
	}
	if why != "" {
		failed++
		fmt.Printf("FAIL %s: %s\n", name, why)
		return
	}
	passed++
	fmt.Printf("ok   %s (%d ms)\n", name, time.Since(start).Milliseconds())
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
	testStranger(a)
	testMesh(a)
	fmt.Printf("done %d passed, %d failed\n", passed, failed)
	select {} // the browser still has timers of this program; the runner closes the page
}
