//go:build unix

// Command hostile attacks a real node with default flags, one attack after the other, each with a
// fresh key over loopback, and then browsers that lend their machine. It prints each result beside
// the promised bound (docs/security.md), and exits with 1 when a bound does not hold. It needs
// test/browser beside it, and dist.
//
//	go run ./test/hostile -inos build/inos -capsules build/capsules
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
)

// programs are the attacked programs and the attackers' tools.
type programs struct {
	inos, capsules string
	pages          map[string]*page // the open ones, by their browser
}

// close ends the browsers.
func (at programs) close() (err error) {
	for _, p := range at.pages {
		err = errors.Join(err, p.close())
	}
	return err
}

// attack is an attack of a stranger on a node.
type attack struct {
	name  string
	bound string
	// run begins, runs and ends one attack and returns what it measured; held says whether the
	// bound holds.
	run func(ctx context.Context, at programs) (measured string, held bool, err error)
}

func main() {
	inos := flag.String("inos", "build/inos", "the native node's program")
	capsules := flag.String("capsules", "build/capsules", "folder of the capsules, hostile/ among them")
	only := flag.String("only", "", "run only attacks whose name contains this")
	browsers := flag.String("browsers", "chromium,firefox", "browsers that are attacked: chromium, firefox, or both with a comma")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "attack\tbound\tmeasured\t")
	failed, passed := 0, 0
	at := programs{*inos, *capsules, map[string]*page{}}
	for _, atk := range attacks(*browsers) {
		if !strings.Contains(atk.name, *only) {
			continue
		}
		measured, held, err := atk.run(ctx, at)
		verdict := "held"
		switch {
		case err != nil:
			measured, verdict = err.Error(), "FAILED"
		case !held:
			verdict = "NOT HELD"
		}
		if verdict == "held" {
			passed++
		} else {
			failed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", atk.name, atk.bound, measured, verdict)
		fmt.Fprintf(os.Stderr, "%s: %s\n", atk.name, verdict)
	}
	if err := at.close(); err != nil {
		failed++
		fmt.Fprintln(table, "the browsers end\t\t"+err.Error()+"\tFAILED")
	}
	table.Flush()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// onNode starts a native node for an attack and ends it afterwards, by SIGTERM.
func onNode(run func(context.Context, *arena) (string, bool, error)) func(context.Context, programs) (string, bool, error) {
	return func(ctx context.Context, at programs) (measured string, held bool, err error) {
		a, err := newArena(ctx, at.inos, at.capsules)
		if err != nil {
			return "", false, err
		}
		measured, held, err = run(ctx, a)
		if ended := a.close(); err == nil && ended != nil {
			return measured, false, ended
		}
		return measured, held, err
	}
}
