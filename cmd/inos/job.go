package main

import (
	"context"
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

type jobCmd struct {
	Bootstrap []dialAddr    `required:"" placeholder:"MULTIADDR" help:"Multiaddrs of nodes to join."`
	Capsule   string        `required:"" placeholder:"FILE" help:".wasm file of the capsule."`
	Requires  []capability  `placeholder:"WORD" help:"Capabilities the node must have."`
	Method    string        `placeholder:"NAME" help:"Method of the capsule; none: its default."`
	Input     string        `default:"-" placeholder:"FILE" help:"File of the input; - (the default) is standard input."`
	Key       string        `placeholder:"FILE" help:"Key file of the paying ledger (inos id --make); none: a ledger for this run only."`
	Ledger    ledgerID      `placeholder:"LEDGER" help:"Ledger id to name in the job; none: the key's own."`
	Budget    *microcredits `placeholder:"N" help:"The most it may cost, in microcredits; none: the policy's ceiling."`
	Replicas  count         `default:"1" placeholder:"N" help:"Nodes that run it, spread over places; each may cost the budget (default ${default})."`
	Agree     count         `default:"0" placeholder:"N" help:"Of them must return the same output; 0 (the default) means more than half."`
	Trace     bool          `help:"Print the job's spans on every node afterwards."`
	Timeout   duration      `default:"1m" placeholder:"TIME" help:"Give up after this (default ${default})."`
}

// check refuses what does not fit together.
func (c *jobCmd) check(s *session) error {
	switch {
	case c.Replicas < 1 || c.Replicas > governance.MaxReplicas:
		return s.wrong("--replicas %d: expected 1 to %d", c.Replicas, governance.MaxReplicas)
	case c.Agree > c.Replicas:
		return s.wrong("--agree %d: expected at most --replicas, which is %d", c.Agree, c.Replicas)
	case c.Budget != nil && *c.Budget == 0:
		return s.wrong("--budget 0 pays for nothing: expected the most it may cost, in microcredits, or no --budget at all")
	case c.Timeout == 0:
		return s.wrong("--timeout 0s leaves no time: expected how long to wait, for example 30s")
	}
	return nil
}

// Run joins the mesh for one job: it publishes the capsule, dispatches, prints who was
// considered on diag and the output on out.
func (c *jobCmd) Run(s *session) error {
	if err := c.check(s); err != nil {
		return err
	}
	if c.Key != "" {
		if _, err := haveKey(c.Key); err != nil {
			return err // a job does not make another payer of a mistyped path
		}
	}
	data, err := readInput(c.Input, s.in)
	if err != nil {
		return err
	}
	wasm, err := os.ReadFile(c.Capsule)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Duration(c.Timeout))
	defer cancel()
	n, err := start(ctx, nodeFlags{Name: "job", Key: c.Key, Listen: []listenAddr{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}, Allowance: 100_000_000}, s.diag)
	if err != nil {
		return err
	}
	defer func() {
		n.stop()
		_ = n.wait()
	}()
	name, _, _ := strings.Cut(filepath.Base(c.Capsule), ".")
	cid, err := n.Library.Publish(name, wasm)
	if err != nil {
		return err
	}
	if err := n.Kernel.Join(ctx, n.mesh, texts(c.Bootstrap)); err != nil {
		return err
	}
	if c.Ledger == "" {
		c.Ledger = ledgerID(n.Wallet.Ledger())
	}
	var budget uint64
	if c.Budget != nil {
		budget = uint64(*c.Budget)
	}
	sub, err := submit.New(submit.Order{
		Capsule: cid, Method: c.Method, Input: data, Requirements: governance.Requirements{Capabilities: texts(c.Requires)},
		Budget: budget, Replicas: uint8(c.Replicas), Agree: uint8(c.Agree), CreditLedgerID: string(c.Ledger), Module: "inos.job", Device: n.mesh.Self(),
	}, time.Now())
	if err != nil {
		return err
	}
	result, err := n.Kernel.Dispatch(ctx, sub)
	explain(s.diag, result)
	if c.Trace {
		writeTrace(s.diag, n.Kernel.Trace(sub.Job.ID))
	}
	if err != nil {
		return err
	}
	_, err = s.out.Write(result.Output)
	return err
}

func readInput(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
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
