package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"inos/internal/cli"
)

const somebody = "12D3KooWRB43C8A7epUKTCdh5cwyRPgeQiAwNXn3qC32bN74iwAT"

// What is wrong with a command line is said in one line of ours, with what would be
// right, and the exit code is 2.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 `expected one of "node", "serve"`,
		"nod":                              `did you mean one of "node"`,
		"ledger":                           `expected one of "balance"`,
		"ledger burn":                      "unexpected argument burn",
		"ledger verify":                    "missing flags: --data=FOLDER",
		"policy":                           `expected one of "show"`,
		"policy check":                     `expected "<file>"`,
		"node more":                        "unexpected argument more",
		"node --fo":                        "unknown flag --fo",
		"node --cost":                      "--cost: its value is missing",
		"node --listen":                    "--listen: its value is missing",
		"node --cost abc":                  `--cost: "abc" is no number of microcredits: expected a whole number, for example 10`,
		"node --cost=-1":                   `--cost: "-1" is no number of microcredits`,
		"node --cost -1":                   `--cost: expected a value but got "-1"`,
		"node --cost 1.5":                  `--cost: "1.5" is no number`,
		"node --ledger-log 1MiB":           `--ledger-log: "1MiB" is no size of a ledger's log: expected all, or at least 8MiB`,
		"node --ledger-log 9":              `--ledger-log: "9" is no size`,
		"node --slots many":                `--slots: "many" is no such number`,
		"node --latency 5":                 `--latency: "5" is no length of time: expected a number with its unit, for example 90s`,
		"node --latency=-5s":               `--latency: "-5s" is no length of time`,
		"node --geo paris":                 `--geo: "paris" is no GeoHash`,
		"node --near here":                 `--near: "here" is no place with a distance: expected GEOHASH:KM`,
		"node --capabilities storage,GPU":  `--capabilities: "GPU": expected a word like storage`,
		"node --listen /ip4/../tcp/0":      `--listen: "/ip4/../tcp/0"; expected an address to listen on, such as /ip4/0.0.0.0/udp/4001/quic-v1/webtransport`,
		"node --listen /ip4/0.0.0.0/tcp/0": `--listen: "/ip4/0.0.0.0/tcp/0"; expected an address to listen on`,
		"node --bootstrap nobody":          `--bootstrap: "nobody": expected a node's address, as it prints it when it starts`,
		"node --bootstrap /ip4/1.2.3.4/udp/1/quic-v1":         "expected a node's address, as it prints it",
		"node --bootstrap /ip4/1.2.3.4/tcp/1/p2p/" + somebody: "nothing here dials it: expected one with /quic-v1",
		"node --policy-signer me":                             `--policy-signer: "me" is no peer id`,
		"node --otlp 127.0.0.1:4318":                          "is no URL: expected one like http://",
		"serve --http 8080":                                   "expected HOST:PORT, for example 127.0.0.1:8080",
		"job --capsule x":                                     "missing flags: --bootstrap=MULTIADDR",
		"job --budget -5":                                     `--budget: expected a value but got "-5"`,
		"job --ledger me":                                     `--ledger: "me" is no ledger id`,
		"node --monitor 9464":                                 "expected HOST:PORT",
		"capsule":                                             `expected one of "run"`,
		"capsule run":                                         `expected "<file>"`,
		"capsule inspect":                                     `expected "<files> ..."`,
		"capsule run x --timeout 0s":                          "--timeout 0s leaves no time",
		"capsule run x --memory-limit 0MiB":                   `--memory-limit: "0MiB" is no size of a capsule's memory: expected a whole number`,
		"owner":                                               "missing flags: --key=FILE, --node=PEERID, --out=FILE",
		"owner --key x --out x --node nobody":                 `--node: "nobody" is no peer id`,
		"ledger grant --data x --credits 1.2345678":           `--credits: "1.2345678" is no number of credits: expected one with at most 6 decimals`,
		"ledger grant --data x --credits 1 --ledger nobody":   `--ledger: "nobody" is no ledger id`,
		"id":                         "missing flags: --key=FILE",
		"node --config nowhere.toml": "--config nowhere.toml: there is no such file",
		"node --name " + strings.Repeat("x", 300):              "expected a line of at most 256 bytes",
		"job --capsule x --replicas 99 --bootstrap " + anyNode: "--replicas 99: expected 1 to",
		"job --capsule x --budget 0 --bootstrap " + anyNode:    "--budget 0 pays for nothing",
		"job --capsule x --timeout 0s --bootstrap " + anyNode:  "--timeout 0s leaves no time",
		"job --capsule x --agree 2 --bootstrap " + anyNode:     "--agree 2: expected at most --replicas, which is 1",
	} {
		out, _, err := inos(t, strings.Fields(line)...)
		require.Error(t, err, line)
		require.Equal(t, exitUsage, exitCode(err), "%s: %v", line, err)
		require.Empty(t, out, line)
		said := said(err)
		require.NotContains(t, said, "\n", line)
		require.Contains(t, said, want, line)
		require.Regexp(t, `^inos[a-z ]*: .*; see inos[a-z ]* --help$`, said, line)
		// What a library says of itself stays inside.
		require.NotRegexp(t, `strconv|invalid syntax|flag provided|EOL|UnmarshalText|multiaddr:|failed to|p2p:|mesh:`, said, line)
	}
}

const anyNode = "/ip4/127.0.0.1/udp/1/quic-v1/p2p/" + somebody

// commandLines are all commands, as they are typed.
func commandLines(n *kong.Node, path []string) (out [][]string) {
	out = append(out, path)
	for _, c := range n.Children {
		out = append(out, commandLines(c, append(path[:len(path):len(path)], c.Name))...)
	}
	return out
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	k, err := kong.New(&grammar{}, kong.Name("inos"), kong.DefaultEnvars(cli.Prefix), kong.Vars{"version": ""})
	require.NoError(t, err)
	return k.Model
}

// Help goes to standard output and is no failure, whatever else is on the line.
func TestHelpAndVersion(t *testing.T) {
	lines := commandLines(model(t).Node, nil)
	require.Len(t, lines, 25)
	for _, line := range lines {
		for _, ask := range [][]string{append(line[:len(line):len(line)], "--help"), append(line[:len(line):len(line)], "-h"), append([]string{"help"}, line...)} {
			out, diag, err := inos(t, ask...)
			require.NoError(t, err, "%v", ask)
			require.Contains(t, out, strings.TrimSpace("Usage: inos "+strings.Join(line, " ")), "%v", ask)
			require.Empty(t, diag)
		}
	}
	for _, ask := range []string{"--version", "version", "-version"} {
		out, _, err := inos(t, ask)
		require.NoError(t, err)
		require.Equal(t, "inos development\n", out)
	}
}

// chosen reads a command line and returns what it comes to.
func parsed(t *testing.T, args ...string) *grammar {
	t.Helper()
	g := &grammar{}
	_, err := cli.Program{Name: "inos", Vars: kong.Vars{"version": ""}}.Parse(g, args, nil)
	require.NoError(t, err, "%v", args)
	return g
}

// A flag is taken from the command line, or else from its variable, or else from the
// file, or else is its default.
func TestWhereFlagsComeFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.toml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write("cost = 7\nname = 'file'\nhedge = true\ncapabilities = ['storage', 'gpu']\n[node]\nslots = 9\n[serve]\nslots = 3\n")
	t.Setenv("INOS_CONFIG", path)
	t.Setenv("INOS_NAME", "variable")
	t.Setenv("INOS_LISTEN", "/ip4/0.0.0.0/udp/1/quic-v1,/ip4/0.0.0.0/udp/2/quic-v1")
	n := parsed(t, "node", "-name", "line").Node
	require.Equal(t, label("line"), n.Name)
	n = parsed(t, "node").Node
	require.Equal(t, label("variable"), n.Name)
	require.Equal(t, microcredits(7), n.Cost)
	require.Equal(t, []capability{"storage", "gpu"}, n.Capabilities)
	require.True(t, n.Hedge)
	require.Equal(t, count(9), n.Slots)
	require.Equal(t, count(3), parsed(t, "serve").Serve.Slots)
	require.Len(t, n.Listen, 2)
	require.Equal(t, microcredits(1_000_000), n.CreditLine)
	require.Empty(t, parsed(t, "node", "--capabilities", "").Node.Capabilities, "none at all")
	require.Len(t, parsed(t, "node", "--capabilities", "a,b", "--capabilities", " c").Node.Capabilities, 3)
	require.Len(t, parsed(t, "node", "--listen", "/ip4/0.0.0.0/udp/3/quic-v1").Node.Listen, 1, "what is said goes for all")

	for text, want := range map[string]string{
		"costs = 7":             "no command has a flag --costs",
		"[nodes]\ncost = 1":     "[nodes] is no command",
		"[node]\ncredits = '1'": "inos node has no flag --credits",
		"cost = ":               "line 1 is no TOML",
		"cost = 'abc'":          `--cost: "abc" is no number of microcredits`,
		"listen = ['x']":        "expected an address to listen on",
	} {
		write(text)
		_, _, err := inos(t, "node", "--name", "x", "--listen", "/ip4/127.0.0.1/tcp/1")
		require.Error(t, err)
		if strings.HasPrefix(text, "listen") {
			continue // the line is wrong already
		}
		t.Setenv("INOS_LISTEN", "/ip4/127.0.0.1/udp/0/quic-v1")
		_, _, err = inos(t, "node")
		require.ErrorContains(t, err, want)
		require.Equal(t, exitUsage, exitCode(err))
	}
	t.Setenv("INOS_CONFIG", "")
	t.Setenv("INOS_COST", "abc")
	_, _, err := inos(t, "node")
	require.ErrorContains(t, err, "INOS_COST")
}

// Two commands that have a flag of one name mean the same kind of thing: it has one
// variable, and one key in the file.
func TestFlagsOfOneNameAreOfOneKind(t *testing.T) {
	kinds := make(map[string]string)
	envs := make(map[string]string)
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name == "help" || f.Name == "version" {
				continue
			}
			kind := strings.TrimPrefix(f.Target.Type().String(), "*")
			if had, ok := kinds[f.Name]; ok {
				require.Equal(t, had, kind, f.Name)
			}
			kinds[f.Name] = kind
			require.Len(t, f.Envs, 1, f.Name)
			require.Regexp(t, regexp.MustCompile(`^INOS_[A-Z_]+$`), f.Envs[0])
			if had, ok := envs[f.Envs[0]]; ok {
				require.Equal(t, had, f.Name)
			}
			envs[f.Envs[0]] = f.Name
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(model(t).Node)
}
