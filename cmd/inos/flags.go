package main

import (
	"inos/internal/identity"
	"inos/internal/supervisor"
)

// nodeFlags describe a node.
type nodeFlags struct {
	Name         label        `default:"node" help:"Name shown to people."`
	Key          string       `placeholder:"FILE" help:"File of the node's Ed25519 key, made if missing. None: a key for this run only."`
	Data         string       `placeholder:"FOLDER" help:"Folder of the ledger and, unless --key is given, the key, made if missing. None: both last as long as the node."`
	LedgerLog    logSize      `placeholder:"SIZE" default:"256MiB" help:"Disk for the entries of the ledger: the oldest go when it is used up, balances and all else stay. Or all (default ${default})."`
	Policy       string       `placeholder:"FILE" help:"Signed policy (inos policy sign); SIGHUP reads it again. None: the default policy (inos policy show)."`
	PolicySigner []peerID     `placeholder:"PEERID" help:"Peer ids that may sign the policy. None: this node's own."`
	Owner        string       `placeholder:"FILE" help:"Who owns this node, as inos owner wrote it: jobs that ask for several nodes' agreement avoid two of one owner."`
	Listen       []listenAddr `placeholder:"MULTIADDR" default:"/ip4/127.0.0.1/udp/0/quic-v1/webtransport" help:"Multiaddrs to listen on (default ${default}: this machine only)."`
	Bootstrap    []dialAddr   `placeholder:"MULTIADDR" help:"Multiaddrs of nodes to join."`
	Capabilities []capability `placeholder:"WORD" help:"What this node can do, for example storage,threads,gpu."`
	Cost         microcredits `default:"10" placeholder:"N" help:"Price in microcredits per second of capsule time (default ${default})."`
	Slots        count        `default:"4" placeholder:"N" help:"Jobs run at a time, 0 for none (default ${default})."`
	Memory       byteSize     `placeholder:"SIZE" help:"Memory for capsules and compiling them, the library, snapshots, inputs and outputs together, for example 2GiB. None: half of the machine's, or of its container's."`
	Geo          geoHash      `placeholder:"GEOHASH" help:"GeoHash of this node."`
	Capsules     string       `placeholder:"FOLDER" help:"Folder whose .wasm capsules this node publishes."`
	Latency      duration     `default:"0s" placeholder:"TIME" help:"Delay every answer by this, to stand for distance in demonstrations."`
	CreditLine   microcredits `default:"1000000" placeholder:"N" help:"Credit granted to a ledger whose first voucher arrives, in microcredits (default ${default}); all such ledgers together have 16 times as much, those of one network alone half of that."`
	Allowance    microcredits `default:"100000000" placeholder:"N" help:"What this node's own ledger may spend, in microcredits (default ${default})."`
	KillOverdue  bool         `help:"Kill a capsule that does not pause by the deadline, instead of only reporting it."`
	Hedge        bool         `help:"Send a second copy of this node's own job when the first takes longer than 95 % of its node's last answers did; both may have to be paid."`
	Near         nearby       `placeholder:"GEOHASH:KM" help:"For this node's own jobs a node KM away from there scores half, for example u33db:500."`
	OTLP         webURL       `name:"otlp" placeholder:"URL" help:"OpenTelemetry collector to send spans to over OTLP/HTTP, for example http://127.0.0.1:4318."`
	DrainTimeout duration     `default:"30s" placeholder:"TIME" help:"When told to stop, how long jobs may go on before they are handed back to their callers (default ${default})."`
	Monitor      monitorAddr  `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Address of /healthz, /readyz and /metrics, or none (default ${default}: a free port, printed when ready)."`
	Log          string       `default:"text" enum:"text,json" help:"Form of the log on standard error: text or json (default ${default})."`
	LogLevel     string       `default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (default ${default})."`
	Verbose      bool         `short:"v" help:"Log every event: --log-level debug."`
}

// slots is the kernel's figure: below 0 means none there.
func (f *nodeFlags) slots() int {
	if f.Slots == 0 {
		return -1
	}
	return int(f.Slots)
}

// signers are the peer ids whose policies the node self accepts.
func (f *nodeFlags) signers(self identity.PeerID) []string {
	if len(f.PolicySigner) > 0 {
		return texts(f.PolicySigner)
	}
	return []string{string(self)}
}

// overdue is the policy for a capsule that does not pause in time.
func (f *nodeFlags) overdue() supervisor.OverduePolicy {
	if f.KillOverdue {
		return supervisor.KillOverdue
	}
	return supervisor.ReportOverdue
}
