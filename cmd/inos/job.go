package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/submit"
	"inos/internal/trace"
)

// runJob joins the mesh for one job: it publishes the capsule, dispatches, prints
// who was considered on diag and the output on out.
func runJob(ctx context.Context, args []string, out, diag io.Writer) error {
	set := flag.NewFlagSet("job", flag.ContinueOnError)
	var bootstrap, requires list
	set.Var(&bootstrap, "bootstrap", "multiaddrs of nodes to join (required)")
	set.Var(&requires, "requires", "capabilities the node must have")
	path := set.String("capsule", "", ".wasm file of the capsule (required)")
	method := set.String("method", "", "method of the capsule; empty means its default")
	input := set.String("input", "-", "file of the input; - means standard input")
	key := set.String("key", "", "key file of the paying ledger (inos id -make); none: a ledger for this run only")
	ledger := set.String("ledger", "", "ledger id to name in the job; default: the key's own")
	budget := set.Uint64("budget", 0, "the most it may cost, in microcredits; 0 means the policy's ceiling")
	replicas := set.Uint("replicas", 1, "nodes that run it, spread over places; each may cost the budget")
	agree := set.Uint("agree", 0, "of them must return the same output; 0 means more than half")
	spans := set.Bool("trace", false, "print the job's spans on every node afterwards")
	timeout := set.Duration("timeout", time.Minute, "give up after this")
	if err := parse(set, args, diag); err != nil {
		return err
	}
	if *replicas > governance.MaxReplicas || *agree > *replicas {
		fmt.Fprintf(diag, "inos job: -replicas is at most %d, -agree at most -replicas\n", governance.MaxReplicas)
		return errUsage
	}
	if len(bootstrap) == 0 || *path == "" {
		fmt.Fprintln(diag, "inos job: -bootstrap and -capsule are required")
		return errUsage
	}
	if *key != "" {
		if _, err := haveKey(*key); err != nil {
			return err // a job does not make another payer of a mistyped path
		}
	}
	data, err := readInput(*input)
	if err != nil {
		return err
	}
	wasm, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	n, err := start(ctx, nodeFlags{name: "job", key: *key, slots: -1, allowance: 100_000_000}, diag)
	if err != nil {
		return err
	}
	defer func() {
		n.stop()
		_ = n.wait()
	}()
	name, _, _ := strings.Cut(filepath.Base(*path), ".")
	cid, err := n.Library.Publish(name, wasm)
	if err != nil {
		return err
	}
	if err := n.Kernel.Join(ctx, n.mesh, bootstrap); err != nil {
		return err
	}
	if *ledger == "" {
		*ledger = string(n.Wallet.Ledger())
	}
	sub, err := submit.New(submit.Order{
		Capsule: cid, Method: *method, Input: data, Requirements: governance.Requirements{Capabilities: requires},
		Budget: *budget, Replicas: uint8(*replicas), Agree: uint8(*agree), CreditLedgerID: *ledger, Module: "inos.job", Device: n.mesh.Self(),
	}, time.Now())
	if err != nil {
		return err
	}
	result, err := n.Kernel.Dispatch(ctx, sub)
	explain(diag, result)
	if *spans {
		writeTrace(diag, n.Kernel.Trace(sub.Job.ID))
	}
	if err != nil {
		return err
	}
	_, err = out.Write(result.Output)
	return err
}

func readInput(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

func explain(w io.Writer, out kernel.Outcome) {
	for _, c := range out.Decision.Top {
		fmt.Fprintf(w, "candidate %s  latency %v  cost %d  score %.4g\n", c.Node.ID, c.Node.Latency, c.Node.CreditCost, c.Score)
	}
	if out.Node == "" {
		return
	}
	where := string(out.Node)
	if why := kernel.WhyThere(out.Decision.Explanation, out.Node); why != "" {
		where += " (" + why + ")"
	}
	fmt.Fprintf(w, "ran on %s: queued %v, run %v, total %v, cost %d microcredits, capsule bytes moved %d\n",
		where, out.Queued, out.Run, out.Total, out.Cost, out.Fetched)
}

// writeTrace prints spans as a table, in order of start.
func writeTrace(w io.Writer, spans []trace.Span) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SPAN\tSTART\tDURATION\tNODE\tCODE\tID\tPARENT")
	for _, s := range spans {
		fmt.Fprintf(t, "%s\t%v\t%v\t%s\t%s\t%s\t%s\n", s.Name, s.Start.Sub(spans[0].Start), s.Duration, s.Node, s.Code, s.ID, s.Parent)
	}
	_ = t.Flush() // as for every diagnostic
}
