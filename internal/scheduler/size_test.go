package scheduler

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What is read together lies together: the arithmetic of caches that the speed of
// updates rests on.
func TestLayout(t *testing.T) {
	const line = 64
	require.EqualValues(t, 2*line, unsafe.Sizeof(record{}))
	require.EqualValues(t, line/2, unsafe.Sizeof(detail{}))
	require.EqualValues(t, line/2, unsafe.Sizeof(facts{}))
	require.Zero(t, unsafe.Sizeof(treeNode{})%line)
	require.Zero(t, unsafe.Offsetof(treeNode{}.facts)%unsafe.Sizeof(facts{}))
	require.LessOrEqual(t, unsafe.Offsetof(treeNode{}.facts), uintptr(7*line), "as much as prefetchNode asks for")
	require.GreaterOrEqual(t, 1<<linkBits, fanout+1)
}
