package main

import (
	"crypto/ed25519"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"inos/internal/identity"
	"inos/internal/supervisor"
)

// list is a flag of comma-separated words that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// nodeFlags say what a node is. Money is in microcredits.
type nodeFlags struct {
	name, key, geo, capsules string
	data, policy, owner      string
	policySigners            list
	listen, bootstrap        list
	capabilities             list
	cost                     uint64
	slots                    int
	latency                  time.Duration
	creditLine, allowance    uint64
	hedge                    bool
	near                     string
	otlp                     string
	killOverdue, verbose     bool
}

func (f *nodeFlags) register(set *flag.FlagSet) {
	set.StringVar(&f.name, "name", "node", "name shown to people")
	set.StringVar(&f.key, "key", "", "file of the node's Ed25519 key, made if missing; none: a key for this run only")
	set.StringVar(&f.data, "data", "", "folder of the ledger and, unless -key is given, the key; none: both last as long as the node")
	set.StringVar(&f.policy, "policy", "", "signed policy (inos policy sign); SIGHUP reads it again; none: the default policy")
	set.Var(&f.policySigners, "policy-signer", "peer ids that may sign the policy; default: this node's own")
	set.StringVar(&f.owner, "owner", "", "who owns this node, as inos owner wrote it: jobs that ask for several nodes' agreement avoid two of one owner")
	set.Var(&f.listen, "listen", "multiaddrs to listen on (default /ip4/127.0.0.1/udp/0/quic-v1/webtransport)")
	set.Var(&f.bootstrap, "bootstrap", "multiaddrs of nodes to join")
	set.Var(&f.capabilities, "capabilities", "what this node can do, for example storage,threads,gpu")
	set.Uint64Var(&f.cost, "cost", 10, "price in microcredits per second of capsule time")
	set.IntVar(&f.slots, "slots", 4, "jobs run at a time")
	set.StringVar(&f.geo, "geo", "", "GeoHash of this node")
	set.StringVar(&f.capsules, "capsules", "", "folder whose .wasm capsules this node publishes")
	set.DurationVar(&f.latency, "latency", 0, "delay every answer by this, to stand for distance in demonstrations")
	set.Uint64Var(&f.creditLine, "credit-line", 10_000_000, "credit granted to a ledger whose first voucher arrives, in microcredits")
	set.Uint64Var(&f.allowance, "allowance", 100_000_000, "what this node's own ledger may spend, in microcredits")
	set.BoolVar(&f.killOverdue, "kill-overdue", false, "kill a capsule that does not pause by the deadline, instead of only reporting it")
	set.BoolVar(&f.hedge, "hedge", false, "send a second copy of this node's own job when the first takes longer than 95 % of its node's last answers did; both may have to be paid")
	set.StringVar(&f.near, "near", "", "GEOHASH:KM, for example u33db:500: for this node's own jobs a node KM away from there scores half")
	set.StringVar(&f.otlp, "otlp", "", "OpenTelemetry collector to send spans to over OTLP/HTTP, for example http://127.0.0.1:4318")
	set.BoolVar(&f.verbose, "v", false, "log every event")
}

// parse reads flags and refuses what is left over.
func parse(set *flag.FlagSet, args []string, diag io.Writer) error {
	set.SetOutput(diag)
	if err := set.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return err
		}
		return errUsage
	}
	if set.NArg() > 0 {
		fmt.Fprintf(diag, "inos %s: unexpected %q\n", set.Name(), set.Arg(0))
		return errUsage
	}
	return nil
}

// signers are the peer ids whose policies this node obeys.
func (f *nodeFlags) signers(key ed25519.PrivateKey) []string {
	return f.signersOf(identity.PeerIDOf(key.Public().(ed25519.PublicKey)))
}

func (f *nodeFlags) signersOf(self identity.PeerID) []string {
	if len(f.policySigners) > 0 {
		return f.policySigners
	}
	return []string{string(self)}
}

// overdue is what becomes of a capsule that does not pause in time.
func (f *nodeFlags) overdue() supervisor.OverduePolicy {
	if f.killOverdue {
		return supervisor.KillOverdue
	}
	return supervisor.ReportOverdue
}
