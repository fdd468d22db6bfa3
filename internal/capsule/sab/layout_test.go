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
	src, err := os.ReadFile(filepath.Join("..", "..", "..", "web", "src", "capsule", "layout.ts"))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^export const (\w+) = (\w+);$`).FindAllStringSubmatch(string(src), -1)
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

// constants evaluates the untyped and integer constants of one Go file.
func constants(t *testing.T, path string) map[string]uint64 {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	require.NoError(t, err)
	conf := types.Config{Importer: importer.Default(), Error: func(error) {}}
	pkg, _ := conf.Check("capsule", fset, []*ast.File{file}, nil)
	out := map[string]uint64{}
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			if v, exact := constant.Uint64Val(constant.ToInt(c.Val())); exact {
				out[name] = v
			}
		}
	}
	return out
}
