package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/submit"
)

type jobCmd struct {
	Args []string `arg:"" optional:"" help:"Arguments of the method; @FILE is what is in a file, @@TEXT is @TEXT. They may begin with - where -- comes before all of them."`

	Bootstrap []dialAddr    `required:"" placeholder:"MULTIADDR" help:"Multiaddrs of nodes to join."`
	Capsule   string        `required:"" placeholder:"FILE" help:".wasm file of the capsule."`
	Requires  []capability  `placeholder:"WORD" help:"Capabilities the node must have."`
	Method    string        `placeholder:"NAME" help:"Method of the capsule; none: its default."`
	Input     string        `default:"-" placeholder:"FILE" help:"File of the input; - (the default) is standard input."`
	Output    string        `default:"-" placeholder:"FILE" help:"File for the output, written whole or not at all; - (the default) is standard output."`
	JSON      bool          `name:"json" help:"Print one JSON object about the job on standard output, with the output in it unless --output names a file."`
	Key       string        `placeholder:"FILE" help:"Key file of the paying ledger (inos id --make); none: a ledger for this run only."`
	Ledger    ledgerID      `placeholder:"LEDGER" help:"Ledger id to name in the job; none: the key's own."`
	Budget    *microcredits `placeholder:"N" help:"The most it may cost, in microcredits; none: what such runs usually cost is held, and more if one takes longer."`
	Replicas  count         `default:"1" placeholder:"N" help:"Nodes that run it, spread over places; each may cost the budget (default ${default})."`
	Agree     count         `default:"0" placeholder:"N" help:"Of them must return the same output; 0 (the default) means more than half."`
	Trace     bool          `help:"Print the job's spans on every node afterwards."`
	Timeout   *duration     `placeholder:"TIME" help:"Give up after this; none: it may take the time it needs, and ends after a minute in which no node is there for it."`
	Quiet     bool          `short:"q" help:"Print nothing but the result, and errors."`
	Verbose   bool          `short:"v" help:"Log every event."`
}

// joinTime is how long the bootstrap nodes have to answer.
const joinTime = time.Minute

// check refuses flags that contradict each other.
func (c *jobCmd) check(s *session) error {
	switch {
	case c.Replicas < 1 || c.Replicas > governance.MaxReplicas:
		return s.wrong("--replicas %d: expected 1 to %d", c.Replicas, governance.MaxReplicas)
	case c.Agree > c.Replicas:
		return s.wrong("--agree %d: expected at most --replicas, which is %d", c.Agree, c.Replicas)
	case c.Budget != nil && *c.Budget == 0:
		return s.wrong("--budget 0 pays for nothing: expected the most it may cost, in microcredits, or no --budget at all")
	case c.Timeout != nil && *c.Timeout == 0:
		return s.wrong("--timeout 0s leaves no time: expected how long to wait, for example 30s")
	case c.Quiet && c.Verbose:
		return s.wrong("--quiet and --verbose: expected one of them")
	}
	return nil
}

// Run joins the mesh for one job and prints its result on out and its history on diag. Errors are
// *jobError once there is a job.
func (c *jobCmd) Run(s *session) error {
	if err := c.check(s); err != nil {
		return err
	}
	order, wasm, err := c.order(s)
	if err != nil {
		return err
	}
	flags := nodeFlags{Name: "job", Key: c.Key, Allowance: 100_000_000, Verbose: c.Verbose, LogLevel: "error"}
	flags.takeLogs(s.diag)
	// The node outlives the job: otherwise its end could come before the job's.
	n, err := start(context.WithoutCancel(s.ctx), flags, s.diag)
	if err != nil {
		return err
	}
	defer func() {
		n.stop()
		_ = n.wait()
	}()
	out, err := c.dispatch(s, n, order, wasm)
	return c.report(s, n, out, err)
}

// order reads all that the job needs, before it starts a node.
func (c *jobCmd) order(s *session) (o submit.Order, wasm []byte, err error) {
	if c.Key != "" {
		if _, err := haveKey(c.Key); err != nil {
			return o, nil, err // a mistyped path must not create another payer
		}
	}
	if wasm, err = os.ReadFile(c.Capsule); err != nil {
		return o, nil, fmt.Errorf("--capsule: %w", err)
	}
	o = submit.Order{
		Method: c.Method, Requirements: governance.Requirements{Capabilities: texts(c.Requires)},
		Replicas: uint8(c.Replicas), Agree: uint8(c.Agree), CreditLedgerID: string(c.Ledger), Module: "inos.job",
	}
	if c.Budget != nil {
		o.Budget = uint64(*c.Budget)
	}
	if o.Args, err = arguments(c.Args); err != nil {
		return o, nil, err
	}
	o.Input, err = readInput(c.Input, s)
	return o, wasm, err
}

// dispatch publishes the capsule on n, joins the mesh and dispatches the job.
func (c *jobCmd) dispatch(s *session, n *native, o submit.Order, wasm []byte) (kernel.Outcome, error) {
	now := time.Now()
	ctx := s.ctx
	if c.Timeout != nil {
		o.Deadline = now.Add(time.Duration(*c.Timeout))
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, o.Deadline)
		defer cancel()
	}
	name := nameOf(c.Capsule)
	if library.CheckName(name) != nil {
		name = "capsule" // any name is right: this is its only capsule
	}
	cid, err := n.Library.Publish(name, wasm)
	if err != nil {
		return kernel.Outcome{}, err
	}
	join, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	if err := n.Kernel.Join(join, n.mesh, texts(c.Bootstrap)); err != nil {
		return kernel.Outcome{}, err
	}
	o.Capsule, o.Device = cid, n.mesh.Self()
	if o.CreditLedgerID == "" {
		o.CreditLedgerID = string(n.Signer.Ledger())
	}
	sub, err := submit.New(o, now)
	if err != nil {
		return kernel.Outcome{}, err
	}
	if shown := showProgress(s.diag, c.Quiet); shown != nil {
		defer shown.end()
		sub.OnProgress = shown.report
	}
	return n.Kernel.Dispatch(ctx, sub)
}
