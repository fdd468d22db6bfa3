//go:build !js

package fault

import (
	"cmp"
	"flag"
	"fmt"
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

	"github.com/stretchr/testify/require"
)

//go:generate go test . -run ^TestGeneratedFiles$ -write

var write = flag.Bool("write", false, "write the generated files")

const root = "../../"

// found is one sentinel in the sources.
type found struct {
	Definition
	at string // file and line
}

// sources parses every Go file of the module that can make a sentinel, whatever its
// platform, and no test.
func sources(t *testing.T, each func(name string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	for _, dir := range []string{"internal", "cmd"} {
		require.NoError(t, filepath.WalkDir(root+dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
			if err == nil {
				each(name, set, file)
			}
			return err
		}))
	}
}

// sentinels finds the calls of Final and Retryable, with the comments beside them.
func sentinels(t *testing.T) (all []found) {
	t.Helper()
	sources(t, func(name string, set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			kind, ok := maker(file, call)
			if !ok || kind == "Internal" {
				return true
			}
			line := set.Position(call.Pos()).Line
			at := fmt.Sprintf("%s:%d", strings.TrimPrefix(name, root), line)
			lit, ok := call.Args[0].(*ast.BasicLit)
			require.True(t, ok, "%s: a code is a literal", at)
			code, err := strconv.Unquote(lit.Value)
			require.NoError(t, err, at)
			d := Definition{Code: code, Retryable: kind == "Retryable"}
			d.Meaning, d.Advice = said(set, file, line)
			all = append(all, found{d, at})
			return true
		})
	})
	return all
}

// maker is which of this package's functions call makes a sentinel with.
func maker(file *ast.File, call *ast.CallExpr) (kind string, ok bool) {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		pkg, is := f.X.(*ast.Ident)
		kind, ok = f.Sel.Name, is && pkg.Name == "fault"
	case *ast.Ident:
		kind, ok = f.Name, file.Name.Name == "fault"
	}
	return kind, ok && slices.Contains([]string{"Final", "Retryable", "Internal"}, kind)
}

var named = regexp.MustCompile(`^[A-Za-z.]+: `)

// said is what the comment before line, or at its end, says of a sentinel: "ErrX: its
// meaning. Advice: what to do."
func said(set *token.FileSet, file *ast.File, line int) (meaning, advice string) {
	for _, c := range file.Comments {
		if set.Position(c.End()).Line == line-1 || set.Position(c.Pos()).Line == line {
			text := strings.Join(strings.Fields(c.Text()), " ")
			if before, after, ok := strings.Cut(text, " Advice: "); ok {
				return strings.TrimSuffix(named.ReplaceAllString(before, ""), "."), strings.TrimSuffix(after, ".")
			}
		}
	}
	return "", ""
}

// definitions are all codes, sorted: each is said to be retryable or final by all of its
// sentinels, and described by one of them.
func definitions(t *testing.T) (kernel, all []Definition) {
	t.Helper()
	var code = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	byCode := make(map[string]found)
	for _, f := range sentinels(t) {
		require.Regexp(t, code, f.Code, f.at)
		was, ok := byCode[f.Code]
		require.False(t, ok && was.Retryable != f.Retryable, "%s: %s and %s differ in whether it is retryable", f.Code, was.at, f.at)
		require.False(t, was.Meaning != "" && f.Meaning != "", "%s is described twice: %s and %s", f.Code, was.at, f.at)
		if was.Meaning == "" {
			byCode[f.Code] = f
		}
	}
	for _, f := range byCode {
		require.NotEmpty(t, f.Meaning, "%s: %s has no comment with what it means and an Advice", f.at, f.Code)
		kernel = append(kernel, f.Definition)
	}
	all = slices.Clone(kernel)
	for _, d := range Page {
		_, both := byCode[d.Code]
		require.Equal(t, d.Meaning == "", both, "%s: of the page alone or not?", d.Code)
		if !both {
			all = append(all, d)
		}
	}
	for _, list := range [][]Definition{kernel, all} {
		slices.SortFunc(list, func(a, b Definition) int { return cmp.Compare(a.Code, b.Code) })
	}
	return kernel, all
}

const header = "// Code generated from the sentinels of the Go packages by go generate ./internal/fault. DO NOT EDIT.\n"

func union(b *strings.Builder, name, doc string, codes []Definition) {
	fmt.Fprintf(b, "\n/** %s */\nexport type %s =", doc, name)
	for _, d := range codes {
		fmt.Fprintf(b, "\n  | '%s'", d.Code)
	}
	b.WriteString(";\n")
}

// types are web/codes.d.ts.
func types(kernel []Definition) string {
	var b strings.Builder
	b.WriteString(header + "// The stable codes of an InosError, part of the console API's contract (kernel.d.ts); docs/errors.md explains them.\n")
	union(&b, "InosErrorCode", "Codes the shell itself gives.", Page)
	union(&b, "KernelErrorCode", "Codes of the kernel.", kernel)
	return b.String()
}

// values are web/src/codes.ts.
func values(all []Definition) string {
	var b strings.Builder
	b.WriteString(header + "\n/** The shell's own codes after which the same call, or a reload, may succeed. */\nexport const RETRYABLE: ReadonlySet<string> = new Set([\n")
	for _, d := range all {
		if d.Retryable && slices.ContainsFunc(Page, func(p Definition) bool { return p.Code == d.Code }) {
			fmt.Fprintf(&b, "  '%s',\n", d.Code)
		}
	}
	b.WriteString("]);\n")
	return b.String()
}

// lists are codes.go.
func lists(kernel []Definition) string {
	var b strings.Builder
	b.WriteString(header + "\npackage fault\n")
	for _, l := range []struct {
		name      string
		retryable bool
	}{{"finalCodes", false}, {"retryableCodes", true}} {
		fmt.Fprintf(&b, "\n// %s are the %s codes of the kernel.\nconst %s = `", l.name, strings.TrimSuffix(l.name, "Codes"), l.name)
		for _, d := range kernel {
			if d.Retryable == l.retryable {
				b.WriteString("\n" + d.Code)
			}
		}
		b.WriteString("\n`\n")
	}
	return b.String()
}

const intro = `# Errors

Every promise of the console is rejected with an ` + "`InosError {name, code, message, retryable}`" + `. The code is stable; the message is for
people, and says which field, how much, and what to do. ` + "`retryable`" + ` says whether the same call may succeed later. The column below
says it of the code; of a job that another node ended, the error's own ` + "`retryable`" + ` counts: the same job may do better elsewhere.
A code that another node gives as its reason is shown when it is one of these, and is else that of how it ended the job, or ` + "`remote`" + `.

This page is generated from the comments of the sentinels: ` + "`go generate ./internal/fault`" + `.

| code | retryable | meaning | what to do |
| --- | --- | --- | --- |
`

// page is docs/errors.md.
func page(all []Definition) string {
	var b strings.Builder
	b.WriteString(intro)
	for _, d := range all {
		again := "no"
		if d.Retryable {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Code, again, strings.ReplaceAll(d.Meaning, "|", `\|`), strings.ReplaceAll(d.Advice, "|", `\|`))
	}
	return b.String()
}

func TestGeneratedFiles(t *testing.T) {
	kernel, all := definitions(t)
	for name, want := range map[string]string{
		"internal/fault/codes.go": lists(kernel), "web/codes.d.ts": types(kernel), "web/src/codes.ts": values(all), "docs/errors.md": page(all),
	} {
		if *write {
			require.NoError(t, os.WriteFile(root+name, []byte(want), 0o644))
		}
		have, err := os.ReadFile(root + name)
		require.NoError(t, err)
		require.Equal(t, want, string(have), "%s is not what the sentinels say: go generate ./internal/fault", name)
	}
}

// Whatever a package compares errors with is made here, and so has a code.
func TestEverySentinelIsMadeHere(t *testing.T) {
	sources(t, func(name string, set *token.FileSet, file *ast.File) {
		for _, d := range file.Decls {
			vars, ok := d.(*ast.GenDecl)
			if !ok || vars.Tok != token.VAR {
				continue
			}
			for _, spec := range vars.Specs {
				for _, v := range spec.(*ast.ValueSpec).Values {
					call, ok := v.(*ast.CallExpr)
					if !ok {
						continue
					}
					text := ""
					if f, ok := call.Fun.(*ast.SelectorExpr); ok {
						text = fmt.Sprintf("%v.%v", f.X, f.Sel)
					}
					wraps := false // what wraps a sentinel has its code
					if text == "fmt.Errorf" {
						format, ok := call.Args[0].(*ast.BasicLit)
						wraps = ok && strings.Contains(format.Value, "%w")
					}
					if text == "errors.New" || text == "fmt.Errorf" && !wraps {
						t.Errorf("%s: %s: a sentinel is made with fault.Final, Retryable or Internal", set.Position(v.Pos()), text)
					}
				}
			}
		}
	})
}

var (
	link    = regexp.MustCompile(`\]\(([^)#]+)#?([^)]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unsaid  = regexp.MustCompile(`[^a-z0-9 -]`)
)

// What to do is often said on another page.
func TestLinksLeadSomewhere(t *testing.T) {
	_, all := definitions(t)
	for _, d := range all {
		for _, to := range link.FindAllStringSubmatch(d.Meaning+d.Advice, -1) {
			text, err := os.ReadFile(root + "docs/" + to[1])
			require.NoError(t, err, d.Code)
			found := to[2] == ""
			for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
				found = found || strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == to[2]
			}
			require.True(t, found, "%s: %s has no heading %s", d.Code, to[1], to[2])
		}
	}
}
