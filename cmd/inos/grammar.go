package main

import "inos/internal/cli"

// grammar is the command line of inos.
type grammar struct {
	Config  cli.File    `placeholder:"FILE" help:"TOML file with values for flags: KEY = VALUE, for one command under [COMMAND]."`
	Version cli.Version `env:"-" help:"Print the version."`

	Node    nodeCmd    `cmd:"" help:"Lend this machine: run capsules for the mesh."`
	Serve   serveCmd   `cmd:"" help:"A node that also serves the browser shell over HTTP."`
	Health  healthCmd  `cmd:"" help:"Ask a node of this machine how it is, for health checks."`
	Job     jobCmd     `cmd:"" help:"Run one job on the mesh and print its result."`
	Capsule capsuleCmd `cmd:"" help:"Run and inspect capsules on this machine, without a mesh."`
	Ledger  ledgerCmd  `cmd:"" help:"Balance, history, export and verify a node's ledger; proofs of what it is owed."`
	Policy  policyCmd  `cmd:"" help:"Show, check and sign what a node allows."`
	Owner   ownerCmd   `cmd:"" help:"Vouch for owning a node."`
	ID      idCmd      `cmd:"" name:"id" help:"Print the peer id and ledger id of a key file."`
}
