// Package machine reports the resources of the machine that a native node runs on.
package machine

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// unknown is the memory assumed of a machine that does not report it, in bytes.
const unknown = 2 << 30

// Memory returns how many bytes of memory this process may use: the machine's, or the limit of
// its control group if that is less. It reads files of Linux; elsewhere it returns 2 GiB.
func Memory() uint64 {
	return memory(func(path string) string {
		text, _ := os.ReadFile(path)
		return string(text)
	})
}

// memory reads MemTotal of /proc/meminfo (proc_meminfo(5), in KiB) and memory.max of
// control groups, version 2 or 1, as a container sees its own.
func memory(read func(path string) string) uint64 {
	most := uint64(math.MaxUint64)
	for line := range strings.Lines(read("/proc/meminfo")) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseUint(fields[1], 10, 54); err == nil && kib > 0 {
				most = kib << 10
			}
		}
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n, err := strconv.ParseUint(strings.TrimSpace(read(path)), 10, 64); err == nil && n > 0 {
			most = min(most, n)
		}
	}
	if most == math.MaxUint64 {
		return unknown
	}
	return most
}
