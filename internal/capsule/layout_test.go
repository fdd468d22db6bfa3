package capsule_test

import (
	"cmp"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
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
