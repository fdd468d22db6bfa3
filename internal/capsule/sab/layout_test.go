//go:build !js

package sab_test

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every number of web/src/capsule/layout.ts is that of the Go constant of the
// same name in internal/capsule.
func TestTypeScriptLayout(t *testing.T) {
	want := constants(t, filepath.Join("..", "layout.go"))
	found := regexp.MustCompile(`(?m)^export const (\w+) = (\w+);$`).FindAllStringSubmatch(web(t, "layout.ts"), -1)
	checked := map[string]bool{}
	for _, m := range found {
		v, err := strconv.ParseUint(m[2], 0, 32)
		require.NoError(t, err, m[1])
		if m[1] == "PageBytes" {
			require.EqualValues(t, 65536, v)
			continue
		}
		require.Contains(t, want, m[1])
		require.Equal(t, want[m[1]], v, m[1])
		checked[m[1]] = true
	}
	for name := range want {
		if regexp.MustCompile(`^(Off|State)`).MatchString(name) {
			require.True(t, checked[name], "layout.ts lacks %s", name)
		}
	}
}

// web is a file of web/src/capsule.
func web(t *testing.T, name string) string {
	src, err := os.ReadFile(filepath.Join("..", "..", "..", "web", "src", "capsule", name))
	require.NoError(t, err)
	return string(src)
}

// The ends and codes of web/src/capsule/protocol.ts have the numbers of this package.
func TestTypeScriptProtocol(t *testing.T) {
	src := web(t, "protocol.ts")
	for _, c := range []struct{ object, file, prefix string }{
		{"End", "instance_js.go", "end"},
		{"Code", "imports_js.go", "code"},
	} {
		body := regexp.MustCompile(`(?s)export const ` + c.object + ` = \{(.*?)\} as const;`).FindStringSubmatch(src)
		require.NotNil(t, body, c.object)
		got := map[string]int64{}
		for _, m := range regexp.MustCompile(`(?m)^  (\w+): (-?\d+),`).FindAllStringSubmatch(body[1], -1) {
			v, err := strconv.ParseInt(m[2], 10, 32)
			require.NoError(t, err)
			got[c.prefix+m[1]] = v
		}
		want := map[string]int64{}
		for name, v := range signed(t, c.file) {
			if regexp.MustCompile(`^` + c.prefix + `[A-Z]`).MatchString(name) {
				want[name] = v
			}
		}
		require.NotEmpty(t, want)
		require.Equal(t, want, got, c.object)
	}
}

// A restored control block starts anew in the same words, whether Go or the Worker
// makes it.
func TestTypeScriptRestart(t *testing.T) {
	off := regexp.MustCompile(`\bOff\w+`)
	words := func(src, function string) map[string]bool {
		body := regexp.MustCompile(`(?sm)^` + function + `.*?^\}`).FindString(src)
		out := map[string]bool{}
		for _, name := range off.FindAllString(body, -1) {
			out[name] = true
		}
		return out
	}
	image, err := os.ReadFile(filepath.Join("..", "image.go"))
	require.NoError(t, err)
	want := words(string(image), `func \(im \*Image\) Reset`)
	require.Contains(t, want, "OffKill")
	got := words(web(t, "worker.ts"), `function restart`)
	got["OffMemoryEpoch"] = true // it writes that at every start
	require.Equal(t, want, got)
}

// signed evaluates the integer constants of one Go file.
func signed(t *testing.T, path string) map[string]int64 {
	out := map[string]int64{}
	each(t, path, func(name string, v constant.Value) {
		if v, exact := constant.Int64Val(v); exact {
			out[name] = v
		}
	})
	return out
}

// constants evaluates the constants of one Go file that are no less than 0.
func constants(t *testing.T, path string) map[string]uint64 {
	out := map[string]uint64{}
	each(t, path, func(name string, v constant.Value) {
		if v, exact := constant.Uint64Val(v); exact {
			out[name] = v
		}
	})
	return out
}

// each hands over the untyped and integer constants of one Go file.
func each(t *testing.T, path string, take func(name string, v constant.Value)) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	require.NoError(t, err)
	conf := types.Config{Importer: importer.Default(), Error: func(error) {}}
	pkg, _ := conf.Check("capsule", fset, []*ast.File{file}, nil)
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			if v := constant.ToInt(c.Val()); v.Kind() == constant.Int {
				take(name, v)
			}
		}
	}
}
