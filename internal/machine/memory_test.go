package machine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	const meminfo = "MemTotal:       16314556 kB\nMemFree:        1 kB\n"
	const v2, v1 = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"nothing is known":    {nil, 2 << 30},
		"the machine's":       {map[string]string{"/proc/meminfo": meminfo}, 16314556 << 10},
		"no limit":            {map[string]string{"/proc/meminfo": meminfo, v2: "max\n"}, 16314556 << 10},
		"a container's":       {map[string]string{"/proc/meminfo": meminfo, v2: "536870912\n"}, 512 << 20},
		"an older system's":   {map[string]string{"/proc/meminfo": meminfo, v1: "1073741824\n"}, 1 << 30},
		"as good as no limit": {map[string]string{"/proc/meminfo": meminfo, v1: "9223372036854771712\n"}, 16314556 << 10},
		"nonsense":            {map[string]string{"/proc/meminfo": "MemTotal: many kB\n", v2: "-1"}, 2 << 30},
	} {
		require.Equal(t, c.want, memory(func(path string) string { return c.files[path] }), name)
	}
	require.Positive(t, Memory())
}
