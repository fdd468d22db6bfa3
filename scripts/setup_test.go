//go:build !js

// Package scripts tests the shell scripts here.
package scripts

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is a checkout, in a folder with a space in its name, and a PATH that has
// nothing but what setup.sh itself runs.
type machine struct {
	t        *testing.T
	bin      string
	checkout string
	env      []string
}

func newMachine(t *testing.T) *machine {
	root := filepath.Join(t.TempDir(), "a machine")
	m := &machine{t: t, bin: filepath.Join(root, "bin"), checkout: filepath.Join(root, "inos kernel")}
	require.NoError(t, os.MkdirAll(m.bin, 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(m.checkout, "scripts"), 0o700))
	for _, tool := range []string{"bash", "dirname", "env", "head", "id", "mkdir", "mktemp", "rm", "sed", "sort", "tail"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(m.bin, tool)))
	}
	for from, to := range map[string]string{"setup.sh": "scripts/setup.sh", "rust-sysroot.sh": "scripts/rust-sysroot.sh", "../go.mod": "go.mod"} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(m.checkout, to), text, 0o700))
	}
	home := filepath.Join(root, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	m.env = []string{"PATH=" + m.bin, "HOME=" + home, "WASM_RUSTC=" + filepath.Join(root, "none")}
	return m
}

// program puts a program into PATH whose text is a line of shell.
func (m *machine) program(name, text string) {
	bash, err := exec.LookPath("bash")
	require.NoError(m.t, err)
	path := filepath.Join(m.bin, name)
	require.NoError(m.t, os.RemoveAll(path)) // a link, perhaps, to the real one
	require.NoError(m.t, os.WriteFile(path, []byte("#!"+bash+"\n"+text+"\n"), 0o700))
}

// beforehand puts in what only people can install.
func (m *machine) beforehand() {
	for _, name := range []string{"go", "node", "npm", "git"} {
		path, err := exec.LookPath(name)
		require.NoError(m.t, err)
		require.NoError(m.t, os.Symlink(path, filepath.Join(m.bin, name)))
	}
}

// apt puts in an apt-get that runs a line of shell, where TO is the folder of the
// PATH, and a sudo for those who are not root.
func (m *machine) apt(text string) {
	m.program("apt-get", `TO='`+m.bin+`'; `+text)
	m.program("sudo", `[ "$1" = -n ] && shift; exec "$@"`)
}

// setup runs setup.sh and returns its exit code and the lines it said.
func (m *machine) setup(needs ...string) (int, []string) {
	cmd := exec.Command(filepath.Join(m.bin, "bash"), append([]string{filepath.Join(m.checkout, "scripts/setup.sh")}, needs...)...)
	cmd.Env = m.env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited {
		require.NoError(m.t, err)
	}
	lines := strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
	if said.Len() == 0 {
		lines = nil
	}
	return cmd.ProcessState.ExitCode(), lines
}

func requireAll(t *testing.T, line string, words ...string) {
	t.Helper()
	for _, word := range words {
		require.Contains(t, line, word)
	}
}

// What is missing is named at once, in one line, and nothing is made.
func TestSetupNamesAllThatIsMissing(t *testing.T) {
	m := newMachine(t)
	code, said := m.setup("base", "rust", "rust-lint", "cc", "browsers", "room")
	require.Equal(t, 1, code)
	require.Len(t, said, 1, "%q", said)
	requireAll(t, said[0], "Go 1.", "Node.js 20.19", "npm", "git", "Rust", "rustfmt and clippy", "C compiler", "Chromium", "Firefox", "mmdebstrap", "unshare",
		"apt-get install git rustc-web cargo-web rust-web-src lld-22 rustfmt-web rust-web-clippy gcc libc6-dev chromium firefox-esr mmdebstrap util-linux")
	made, err := os.ReadDir(m.checkout)
	require.NoError(t, err)
	require.Len(t, made, 2, "go.mod and scripts, and no build")
}

// A function of that name, this script's or the caller's, is no program.
func TestSetupLooksForFiles(t *testing.T) {
	needs := map[string][]string{
		"base": {"go", "node", "npm", "git"}, "cc": {"cc"}, "capnp": {"capnp"}, "spin": {"spin", "gcc"},
		"chromium": {"chromium", "chromium-browser", "google-chrome"}, "browsers": {"firefox-esr", "firefox"}, "room": {"mmdebstrap", "unshare"},
	}
	for need, names := range needs {
		m := newMachine(t)
		for _, name := range names {
			m.env = append(m.env, fmt.Sprintf("BASH_FUNC_%s%%%%=() { echo v99.0.0; }", name))
		}
		code, said := m.setup(need)
		require.Equal(t, 1, code, "%s: %q", need, said)
		require.Len(t, said, 1, "%s: %q", need, said)
	}
	scripts, err := filepath.Glob("*.sh")
	require.NoError(t, err)
	for _, path := range append(scripts, "../Makefile", "../.ci/run") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotRegexp(t, `command -v|\bwhich [a-z"$]+ *(>|\)|\|\|)`, string(text), "%s: type -P looks for a program", path)
	}
}

// An old Node.js is named with all the rest, before apt is asked for anything.
func TestSetupNode(t *testing.T) {
	for version, fits := range map[string]bool{
		"v18.19.0": false, "v20.18.9": false, "v20.19.0": true, "v21.7.3": false, "v22.12.0": false, "v22.13.0": true, "v23.4.0": false, "v23.5.0": true, "v24.0.0": true, "": false,
	} {
		m := newMachine(t)
		m.beforehand()
		m.program("node", "echo "+version)
		m.apt(`echo >"$TO/asked"`)
		code, said := m.setup("base", "chromium")
		require.Equal(t, 1, code, "%s: %q", version, said)
		if fits {
			require.NotContains(t, strings.Join(said, "\n"), "Node.js", version)
			require.FileExists(t, filepath.Join(m.bin, "asked"), version)
			continue
		}
		require.Len(t, said, 1, "%s: %q", version, said)
		requireAll(t, said[0], "Node.js", strings.TrimPrefix(version, "v"), "too old", "Chromium")
		require.NoFileExists(t, filepath.Join(m.bin, "asked"), version)
	}
}

// A Go from 1.21 on fetches the one it needs, unless it must not.
func TestSetupGo(t *testing.T) {
	for _, c := range []struct {
		version, toolchain string
		fits               bool
	}{{"go1.19.8", "", false}, {"go1.20.1", "auto", false}, {"go1.22.3", "auto", true}, {"go1.24.1", "local", false}, {"go1.99.0", "local", true}} {
		m := newMachine(t)
		m.beforehand()
		m.program("go", `case "$*" in "env GOVERSION") echo `+c.version+` ;; "env GOTOOLCHAIN") echo `+c.toolchain+` ;; esac`)
		code, said := m.setup("base")
		require.Equal(t, c.fits, code == 0, "%s %s: %q", c.version, c.toolchain, said)
		if !c.fits {
			require.Len(t, said, 1)
			requireAll(t, said[0], "Go 1.", strings.TrimPrefix(c.version, "go"), "too old")
		}
	}
}

func TestSetupInstalls(t *testing.T) {
	m := newMachine(t)
	m.beforehand()
	m.apt(`case "$*" in *update*) exit 100 ;; *install*" chromium") echo >"$TO/chromium"; /bin/chmod +x "$TO/chromium" ;; esac`)
	code, said := m.setup("base", "chromium")
	require.Equal(t, 0, code, "%q", said)
	require.Equal(t, []string{"setup: installing Chromium"}, said)
	code, said = m.setup("base", "chromium")
	require.Equal(t, 0, code)
	require.Empty(t, said)

	// What apt refuses, and what it only says to have installed.
	m.apt(`case "$*" in *install*) echo "E: no such package"; exit 100 ;; esac`)
	code, said = m.setup("browsers")
	require.Equal(t, 1, code)
	require.Contains(t, strings.Join(said, "\n"), "E: no such package")
	require.Contains(t, said[len(said)-1], "please install: Firefox")
	m.apt("exit 0")
	code, said = m.setup("browsers")
	require.Equal(t, 1, code)
	require.Contains(t, said[len(said)-1], "still missing: Firefox")
}

// Without a home folder that can be written nothing can be built; without HOME there
// is still the user database's.
func TestSetupHome(t *testing.T) {
	m := newMachine(t)
	m.beforehand()
	m.env = append(m.env, "HOME="+filepath.Join(m.checkout, "go.mod")) // root may write to every folder
	code, said := m.setup("base")
	require.Equal(t, 1, code)
	require.Len(t, said, 1, "%q", said)
	requireAll(t, said[0], "go.mod/.cache/inos", "HOME")
	m.env = []string{"PATH=" + m.bin}
	code, said = m.setup("base")
	require.Equal(t, 0, code, "%q", said)
}

// setup.sh and the tests find the same browsers.
func TestBrowsersFound(t *testing.T) {
	node, err := exec.LookPath("node")
	require.NoError(t, err)
	lib, err := filepath.Abs("../test/browser/lib")
	require.NoError(t, err)
	type place struct {
		variable, to string // variable: the file it names, below bin
		path         string // what lies in PATH
		folder       bool
		found        bool
	}
	places := map[string][]place{
		"chromium": {{path: "chromium", found: true}, {path: "chromium-browser", found: true}, {path: "google-chrome", found: true}, {path: "chrome"},
			{path: "chromium", folder: true}, {variable: "CHROMIUM", to: "own", path: "own", found: true}, {variable: "CHROMIUM", to: "own", path: "own", folder: true},
			{variable: "CHROMIUM", to: "none", path: "chromium", found: true}, {path: "firefox"}},
		"firefox": {{path: "firefox-esr", found: true}, {path: "firefox", found: true}, {variable: "FIREFOX", to: "own", path: "own", found: true}, {path: "icecat"}},
	}
	for browser, all := range places {
		for _, p := range all {
			m := newMachine(t)
			needs := []string{"chromium"}
			if browser == "firefox" {
				needs = []string{"browsers"}
				m.program("google-chrome", "")
			}
			if p.folder {
				require.NoError(t, os.Mkdir(filepath.Join(m.bin, p.path), 0o700))
			} else {
				m.program(p.path, "")
			}
			if p.variable != "" {
				m.env = append(m.env, p.variable+"="+filepath.Join(m.bin, p.to))
			}
			code, said := m.setup(needs...)
			require.Equal(t, p.found, code == 0, "%s %+v: setup.sh: %q", browser, p, said)
			find := exec.Command(node, "--input-type=module", "-e",
				fmt.Sprintf("import { %[1]sPath } from 'file://%[2]s/%[1]s.mjs'; %[1]sPath()", browser, lib))
			find.Env = m.env
			out, err := find.CombinedOutput()
			require.Equal(t, p.found, err == nil, "%s %+v: find.mjs: %s", browser, p, out)
		}
	}
}
