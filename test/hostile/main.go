//go:build unix

// Command hostile attacks a real node with default flags, one attack after the other,
// each with a fresh key over loopback, and prints what came of it beside the bound that
// the node promises (docs/security.md). It exits with 1 when a bound does not hold.
//
//	go run ./test/hostile -inos build/inos -capsules build/capsules
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
)

// attack is what a stranger does to the node.
type attack struct {
	name  string
	bound string
	// run does it and says what it measured; held says whether the bound does.
	run func(ctx context.Context, a *arena) (measured string, held bool, err error)
}

func main() {
	inos := flag.String("inos", "build/inos", "the native node's program")
	capsules := flag.String("capsules", "build/capsules", "folder of the capsules, hostile/ among them")
	only := flag.String("only", "", "run only attacks whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "attack\tbound\tmeasured\t")
	failed, passed := 0, 0
	for _, atk := range attacks() {
		if !strings.Contains(atk.name, *only) {
			continue
		}
		measured, held, err := fight(ctx, atk, *inos, *capsules)
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
	table.Flush()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// fight starts a node for one attack and ends it afterwards, by SIGTERM.
func fight(ctx context.Context, atk attack, inos, capsules string) (measured string, held bool, err error) {
	a, err := newArena(ctx, inos, capsules)
	if err != nil {
		return "", false, err
	}
	measured, held, err = atk.run(ctx, a)
	if ended := a.close(); err == nil && ended != nil {
		return measured, false, ended
	}
	return measured, held, err
}
