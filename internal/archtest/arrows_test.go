//go:build !js

// Package archtest holds the arrows of ARCHITECTURE.md: it fails when a package
// imports what it must not.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "inos/"

// pure packages decide; they do no I/O and know no platform.
var pure = []string{
	"internal/fault", "internal/order", "internal/identity", "internal/clock", "internal/console", "internal/budget", "internal/background", "internal/capsule", "internal/governance", "internal/credit", "internal/scheduler",
	"internal/scheduler/vivaldi", "internal/scheduler/sim", "internal/supervisor", "internal/mesh", "internal/mesh/inproc", "internal/kernel", "internal/kernel/lifecycle", "internal/kernel/placement", "internal/kernel/quorum",
	"internal/trace", "internal/threads/matchmaker", "internal/threads/watcher", "internal/threads/adjuster", "internal/threads/mailbox",
}

// pureMay are the third-party modules a pure package may import: no I/O in them.
var pureMay = []string{
	"github.com/mr-tron/base58", "github.com/mmcloughlin/geohash", "github.com/thejerf/suture/v4",
	"golang.org/x/time/rate", "github.com/google/uuid",
}

// never are the standard packages that would make a pure package impure.
var never = []string{"syscall/js", "syscall", "os", "os/exec", "os/signal", "net", "net/http", "log", "log/slog", "unsafe"}

// strangers never import each other: the consumer declares what it needs.
var strangers = []string{"internal/scheduler", "internal/supervisor", "internal/governance", "internal/credit"}

// only says who alone may import a path, by the prefix of the importer.
var only = map[string][]string{
	"inos/schema/system/v1":               {"internal/wire"},
	"github.com/libp2p/":                  {"internal/mesh/p2p", "test/"},
	"github.com/quic-go/":                 {"internal/mesh/p2p", "test/"},
	"github.com/tetratelabs/wazero":       {"internal/capsule/wazero"},
	"go.etcd.io/bbolt":                    {"internal/store"},
	"capnproto.org/go/capnp":              {"internal/wire", "schema/"},
	"inos/internal/mesh/p2p":              {"cmd/", "test/", "internal/mesh/p2p"},
	"inos/internal/mesh/p2p/webtransport": {"internal/mesh/p2p", "test/"},
	"inos/internal/capsule/sab":           {"cmd/", "test/", "bench/"},
	"inos/internal/capsule/wazero":        {"cmd/", "test/", "bench/"},
	"inos/internal/kernel":                {"cmd/", "internal/bridge", "internal/monitor", "internal/payment", "internal/submit", "internal/testkit", "test/"},
	"inos/internal/threads/":              {"internal/kernel", "internal/threads/", "cmd/", "internal/bridge", "test/"},
	"inos/cmd/":                           {"cmd/"},
	"inos/internal/testkit":               {"internal/capsule/hostile", "test/"}, // and tests, which are not looked at here
	"inos/internal/jsinterop":             {"internal/bridge", "internal/mesh/p2p/webtransport", "internal/store", "test/", "bench/"},
	"syscall/js":                          {"internal/jsinterop", "internal/bridge", "internal/capsule/sab", "internal/mesh/p2p", "internal/store", "cmd/kernel-wasm", "test/", "bench/"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// list runs go list for one platform, over every package of the module.
func list(t *testing.T, goos, goarch string, deps bool) []pkg {
	t.Helper()
	args := []string{"list", "-json=ImportPath,Imports,Deps,Standard", "-e"}
	if deps {
		args = append(args, "-deps")
	}
	cmd := exec.Command("go", append(args, module+"...")...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func platforms(t *testing.T) map[string][]pkg {
	return map[string][]pkg{
		"linux/amd64": list(t, "linux", "amd64", false),
		"js/wasm":     list(t, "js", "wasm", false),
	}
}

func TestPurePackagesImportOnlyPurePackages(t *testing.T) {
	for platform, pkgs := range platforms(t) {
		for _, p := range pkgs {
			if !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, module)) {
				continue
			}
			for _, imp := range p.Imports {
				switch {
				case slices.Contains(never, imp):
					t.Errorf("%s: pure %s imports %s", platform, p.ImportPath, imp)
				case strings.HasPrefix(imp, module):
					if !slices.Contains(pure, strings.TrimPrefix(imp, module)) {
						t.Errorf("%s: pure %s imports %s, which is not pure", platform, p.ImportPath, imp)
					}
				case strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && !slices.Contains(pureMay, imp):
					t.Errorf("%s: pure %s imports %s, which is not on the list", platform, p.ImportPath, imp)
				}
			}
		}
	}
}

// Natively nothing in the standard library pulls in a platform by itself, so
// the whole dependency closure of the pure packages can be held.
func TestPureClosureKnowsNoNetwork(t *testing.T) {
	for _, p := range list(t, "linux", "amd64", true) {
		if p.Standard || !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		for _, dep := range p.Deps {
			if dep == "net/http" || dep == "syscall/js" || strings.HasPrefix(dep, "github.com/libp2p/") || strings.HasPrefix(dep, "capnproto.org/") {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
	}
}

func TestStrangersStayStrangers(t *testing.T) {
	for platform, pkgs := range platforms(t) {
		for _, p := range pkgs {
			from := strings.TrimPrefix(p.ImportPath, module)
			if !slices.Contains(strangers, from) {
				continue
			}
			for _, imp := range p.Imports {
				to := strings.TrimPrefix(imp, module)
				if to != from && slices.Contains(strangers, to) {
					t.Errorf("%s: %s imports %s", platform, from, to)
				}
			}
		}
	}
}

func TestOnlyTheNamedImport(t *testing.T) {
	for platform, pkgs := range platforms(t) {
		for _, p := range pkgs {
			from := strings.TrimPrefix(p.ImportPath, module)
			for path, who := range only {
				for _, imp := range p.Imports {
					if !strings.HasPrefix(imp, path) || strings.HasPrefix(p.ImportPath, path) {
						continue
					}
					if !slices.ContainsFunc(who, func(w string) bool { return strings.HasPrefix(from, w) }) {
						t.Errorf("%s: %s imports %s; only %v may", platform, from, imp, who)
					}
				}
			}
		}
	}
}

// The rule table must speak of packages that exist, or it holds nothing.
func TestPurePackagesExist(t *testing.T) {
	var have []string
	for _, p := range list(t, "linux", "amd64", false) {
		have = append(have, strings.TrimPrefix(p.ImportPath, module))
	}
	for _, name := range pure {
		require.Contains(t, have, name)
	}
}
