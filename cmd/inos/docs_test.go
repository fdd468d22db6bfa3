package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// The operators' page names every flag of a node, every exit code and every metric, and
// none that is not there.
func TestTheOperatorsPage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/node.md")
	require.NoError(t, err)
	page := string(raw)

	flags := make(map[string]bool) // of all commands
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			flags[f.Name] = true
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	root := model(t).Node
	walk(root)
	at := slices.IndexFunc(root.Children, func(n *kong.Node) bool { return n.Name == "node" })
	for _, f := range root.Children[at].Flags {
		require.Contains(t, page, "--"+f.Name, "a flag of a node")
	}
	for _, named := range regexp.MustCompile("--([a-z][a-z-]*)").FindAllStringSubmatch(page, -1) {
		require.True(t, flags[named[1]] || named[1] == "flag", "--%s is no flag", named[1])
	}

	codes := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| (all|job|job, capsule) \|`).FindAllStringSubmatch(page, -1) {
		codes[row[1]] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.INT {
				require.True(t, codes[value.Value], "exit code %s", value.Value)
				delete(codes, value.Value)
			}
		}
		return true
	})
	require.Empty(t, codes, "they are no exit codes")

	names := make(map[string]bool)
	for _, path := range []string{"collect.go", "metrics.go"} {
		source, err := os.ReadFile("../../internal/monitor/" + path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`desc\("([a-z_]+)"|Name: ("inos_[a-z_]+")`).FindAllStringSubmatch(string(source), -1) {
			name := "inos_" + m[1]
			if m[2] != "" {
				name, err = strconv.Unquote(m[2])
				require.NoError(t, err)
			}
			names[name] = true
			require.Contains(t, page, "`"+name, "a metric")
		}
	}
	for _, m := range regexp.MustCompile("`(inos_[a-z_]+)").FindAllStringSubmatch(page, -1) {
		require.True(t, names[m[1]], "%s is no metric", m[1])
	}
}

// A test that a page names is there, and what the page on the economy promises has its tests.
func TestThePagesNameTestsThatThereAre(t *testing.T) {
	tests := make(map[string]bool)
	var files []string
	for _, folder := range []string{"cmd", "internal", "test"} {
		require.NoError(t, filepath.WalkDir("../../"+folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			files = append(files, path)
			source, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
				tests[m[1]] = true
			}
			return err
		}))
	}
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	pages = append(pages, examples+"README.md", "../../CONTRIBUTING.md", "../../SECURITY.md")
	named := 0
	for _, path := range pages {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(string(raw), -1) {
			named++
			require.True(t, tests[m[1]], "%s names %s", path, m[1])
		}
		for _, m := range regexp.MustCompile("`([a-z0-9/]*[a-z0-9_]+_test\\.go)`").FindAllStringSubmatch(string(raw), -1) {
			require.True(t, slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, "/"+m[1]) }), "%s names %s", path, m[1])
		}
	}
	require.Greater(t, named, 100)

	raw, err := os.ReadFile("../../docs/economy.md")
	require.NoError(t, err)
	page := strings.ToLower(string(raw))
	promises, _, ok := strings.Cut(page, "\n## what is not promised")
	require.True(t, ok)
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(promises, -1) {
		require.Contains(t, page, "\n| "+m[1]+" |", "the tests of a part of the page")
	}
}

// Every page is in the index, and every link of a page leads to a file and a heading that
// are there.
func TestThePagesLinkToWhatThereIs(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "capsules/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(raw)
	}
	index := read("../../docs/README.md")
	links := 0
	for _, page := range pages {
		if filepath.Base(filepath.Dir(page)) == "docs" && filepath.Base(page) != "README.md" {
			require.Contains(t, index, "("+filepath.Base(page)+")", "the index")
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]+)?\)`).FindAllStringSubmatch(read(page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			to := page
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			_, err := os.Stat(to)
			require.NoError(t, err, "%s: %s", page, m[0])
			if m[2] != "" {
				require.Contains(t, anchors(read(to)), m[2][1:], "%s: %s", page, m[0])
			}
		}
	}
	require.Greater(t, links, 100)
}

// anchors are the fragments by which a page's headings are linked.
func anchors(page string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`[^\p{L}\p{N}\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
}
