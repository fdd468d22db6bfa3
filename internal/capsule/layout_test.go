package capsule_test

import (
	"cmp"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// goConstants evaluates every constant of layout.go.
func goConstants(t *testing.T) map[string]uint64 {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "layout.go", nil, 0)
	require.NoError(t, err)
	pkg, err := new(types.Config).Check("capsule", fset, []*ast.File{file}, nil)
	require.NoError(t, err)
	all := map[string]uint64{}
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			v, exact := constant.Uint64Val(constant.ToInt(c.Val()))
			require.True(t, exact, name)
			all[name] = v
		}
	}
	require.Greater(t, len(all), 40)
	return all
}

// sourceConstants finds name and number in another language's source.
func sourceConstants(t *testing.T, path, pattern string) map[string]uint64 {
	src, err := os.ReadFile(filepath.FromSlash(path))
	require.NoError(t, err)
	all := map[string]uint64{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(src), -1) {
		v, err := strconv.ParseUint(strings.ReplaceAll(m[2], "_", ""), 0, 64)
		require.NoError(t, err, m[0])
		all[m[1]] = v
	}
	return all
}

// screaming turns CamelCase into SCREAMING_CASE.
func screaming(name string) string {
	name = strings.Replace(name, "ABIVersion", "AbiVersion", 1)
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2"))
}

func TestLayoutIsTheSameInRust(t *testing.T) {
	rust := sourceConstants(t, "../../capsules/sdk/src/layout.rs", `pub const (\w+): u\d+ = ([0-9A-Fa-fx_]+);`)
	want := map[string]uint64{}
	for name, v := range goConstants(t) {
		want[screaming(name)] = v
	}
	require.Equal(t, want, rust)
}

func TestLayoutIsTheSameInTypeScript(t *testing.T) {
	ts := sourceConstants(t, "../../web/src/capsule/layout.ts", `export const (\w+) = ([0-9a-fx]+);`)
	for name, v := range goConstants(t) {
		// What only the rings need is not in the shell.
		if got, ok := ts[name]; ok || strings.HasPrefix(name, "Off") || strings.HasPrefix(name, "State") {
			require.Equal(t, v, got, name)
		}
	}
	require.EqualValues(t, capsule.PageSize, ts["PageBytes"])
}

func TestControlBlockFieldsDoNotOverlap(t *testing.T) {
	// The side that writes each field; the host's Worker writes StateTrapped too,
	// but only once the capsule has ended.
	host := []string{"OffKill", "OffMemoryEpoch", "OffHeartbeatMs", "OffClock", "OffFreeze", "OffLooks", "OffCommandTail", "OffCommandDoorbell", "OffCommandWaiting", "OffEventHead", "OffEventSpace"}
	type field struct {
		name       string
		start, end uint64
	}
	var fields []field
	lines := map[uint64]string{} // cache line to who writes it
	for name, off := range goConstants(t) {
		if !strings.HasPrefix(name, "Off") {
			continue
		}
		size := uint64(4)
		switch name {
		case "OffClock":
			size = 8
		case "OffPanicText":
			size = capsule.PanicTextCap
		}
		require.Zero(t, off%min(size, 8), "%s is misaligned", name)
		require.LessOrEqual(t, off+size, uint64(capsule.ControlSize), name)
		fields = append(fields, field{name, off, off + size})
		for line := off / 64; line*64 < off+size; line++ {
			writer := "the capsule"
			switch {
			case slices.Contains(host, name):
				writer = "the host"
			case name == "OffEventListening":
				writer = "both"
			}
			other, taken := lines[line]
			require.True(t, !taken || other == writer, "%s, which %s writes, shares a cache line with what %s writes", name, writer, other)
			lines[line] = writer
		}
	}
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.start, b.start) })
	for i := range fields[1:] {
		require.LessOrEqual(t, fields[i].end, fields[i+1].start, "%s overlaps %s", fields[i].name, fields[i+1].name)
	}
}
