package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const examples = "../../examples/"

func example(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(examples + name)
	require.NoError(t, err)
	return string(raw)
}

// setting is the value of a unit's key.
func setting(t *testing.T, unit, key string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
	require.NotNil(t, found, key)
	return found[1]
}

// The unit's command line is one of ours, with the file beside it; systemd waits longer
// than a drain takes.
func TestExampleUnit(t *testing.T) {
	unit := example(t, "inos.service")
	line := strings.Fields(setting(t, unit, "ExecStart"))
	require.Equal(t, "/usr/local/bin/inos", line[0])
	args := strings.Fields(strings.ReplaceAll(strings.Join(line[1:], " "), "/etc/inos/node.toml", examples+"node.toml"))
	n := parsed(t, args...).Node
	require.Equal(t, "json", n.Log)
	require.Equal(t, "/var/lib/"+setting(t, unit, "StateDirectory"), n.Data)
	require.Equal(t, monitorAddr("127.0.0.1:9464"), n.Monitor, "where inos health asks")
	stop, err := time.ParseDuration(setting(t, unit, "TimeoutStopSec"))
	require.NoError(t, err)
	require.Greater(t, stop, time.Duration(n.DrainTimeout)+letGoAndGoodbye)
	require.Equal(t, "notify", setting(t, unit, "Type"))
	require.Equal(t, "yes", setting(t, unit, "NoNewPrivileges"))
	require.NotContains(t, unit, "\nMemoryDenyWriteExecute", "wazero compiles")
	require.Equal(t, "2", setting(t, unit, "RestartPreventExitStatus"))

	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return // what can be held without systemd has been
	}
	program, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "inos.service")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(unit, "/usr/local/bin/inos", program)), 0o600))
	out, err := exec.Command(verify, "verify", "--man=no", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "inos.service", "%s", out)
}

// The job runs on the node that the script starts, and no node is left.
func TestExampleJob(t *testing.T) {
	script := exec.Command("bash", examples+"job.sh", "hello")
	var diag bytes.Buffer
	script.Stderr = &diag
	script.Env = append(os.Environ(), asInos+"=1", "INOS="+os.Args[0])
	out, err := script.Output() // ends once all that holds the output has ended
	require.NoError(t, err, diag.String())
	require.Equal(t, "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", strings.TrimSpace(string(out)))
	require.Empty(t, diag.String())
}

// The policy parses and says what it is called, and a node takes it.
func TestExamplePolicy(t *testing.T) {
	out, _, err := inos(t, "policy", "check", examples+"policy.txt")
	require.NoError(t, err)
	require.Equal(t, "ok: policy \"careful\", version 1\n", out)
	key, signed := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "signed")
	id, _, err := inos(t, "id", "--make", "--key", key)
	require.NoError(t, err)
	_, _, err = inos(t, "policy", "sign", "--key", key, "--out", signed, examples+"policy.txt")
	require.NoError(t, err)
	p, err := loadPolicy(signed, []string{strings.Fields(id)[0]})
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Version)
}

// The index of the examples names each of them, and tests that there are.
func TestExamplesIndex(t *testing.T) {
	index := example(t, "README.md")
	entries, err := os.ReadDir(examples)
	require.NoError(t, err)
	for _, e := range entries {
		require.True(t, e.Name() == "README.md" || strings.Contains(index, "]("+e.Name()), e.Name())
	}
}

const letGoAndGoodbye = 20 * time.Second

// The image's variables are flags, its commands are ours, its sources are there, and it
// does not run as root.
func TestExampleDockerfile(t *testing.T) {
	file := strings.ReplaceAll(example(t, "Dockerfile"), "\\\n", " ")
	known := make(map[string]bool)
	for _, n := range model(t).Children {
		for _, f := range n.Flags {
			if len(f.Envs) == 0 {
				continue // --help
			}
			known[f.Envs[0]] = true
		}
	}
	stages, user := 0, ""
	for line := range strings.Lines(file) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "#":
		case "FROM":
			stages++
			require.NotContains(t, rest, ":latest")
		case "USER":
			user = rest
		case "ENV":
			for pair := range strings.FieldsSeq(rest) {
				name, value, ok := strings.Cut(pair, "=")
				require.True(t, ok && known[name], name)
				t.Setenv(name, value)
			}
		case "COPY":
			if from := strings.Fields(rest); !strings.HasPrefix(from[0], "--from") {
				for _, path := range from[:len(from)-1] {
					_, err := os.Stat("../../" + path)
					require.NoError(t, err)
				}
			}
		case "ENTRYPOINT", "CMD", "HEALTHCHECK":
			var words []string
			require.NoError(t, json.Unmarshal([]byte(rest[strings.Index(rest, "["):]), &words))
			switch word {
			case "ENTRYPOINT":
				require.Equal(t, []string{"/usr/local/bin/inos"}, words)
			case "HEALTHCHECK":
				require.Equal(t, "/usr/local/bin/inos", words[0])
				require.Equal(t, monitorAddr(os.Getenv("INOS_MONITOR")), parsed(t, words[1:]...).Health.Monitor)
			default:
				n := parsed(t, words...).Node
				require.Equal(t, "/data", n.Data)
				require.Equal(t, duration(time.Minute), n.DrainTimeout)
			}
		case "WORKDIR", "RUN", "ARG", "VOLUME", "STOPSIGNAL", "EXPOSE":
		default:
			t.Errorf("%q begins no instruction", word)
		}
	}
	require.Equal(t, 2, stages)
	require.Equal(t, "nonroot:nonroot", user)
	require.Contains(t, file, "FROM golang:"+regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(module(t))[1])
}

func module(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	return string(raw)
}
