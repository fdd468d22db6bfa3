// Command inos is the native side of the INOS mesh: a node that lends this
// machine, a server for the browser shell, and tools to use and inspect both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// command is one subcommand. run returns when it is done or ctx ends.
type command struct {
	does string
	run  func(ctx context.Context, args []string, out, diag io.Writer) error
}

func commands() map[string]command {
	return map[string]command{
		"node":   {"lend this machine: run capsules for the mesh", runNode},
		"serve":  {"a node that also serves the browser shell over HTTP", runServe},
		"job":    {"run one job on the mesh and print its result", runJob},
		"ledger": {"balance, history, export and verify a node's ledger; proofs of what it is owed", runLedger},
		"policy": {"show, check and sign what a node allows", runPolicy},
		"owner":  {"vouch for owning a node", runOwner},
		"id":     {"print the peer id and ledger id of a key file", runID},
	}
}

// errUsage has been explained to the user already.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp) || errors.Is(err, context.Canceled):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "inos:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string, out, diag io.Writer) error {
	all := commands()
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(diag, all)
		if len(args) == 0 {
			return errUsage
		}
		return nil
	}
	c, ok := all[args[0]]
	if !ok {
		fmt.Fprintf(diag, "inos: no command %q\n", args[0])
		usage(diag, all)
		return errUsage
	}
	return c.run(ctx, args[1:], out, diag)
}

func usage(w io.Writer, all map[string]command) {
	fmt.Fprintln(w, "usage: inos COMMAND [flags]; inos COMMAND -h lists its flags")
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "  %-8s %s\n", name, all[name].does)
	}
}
