//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// family is a process and all its descendants.
func family(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, family(n)...)
			}
		}
	}
	return all
}

// resident is the memory that a process and its descendants have now, in bytes, without mapped
// files: browsers' processes share hundreds of MiB of their program.
func resident(pid int) (total uint64) {
	for _, pid := range family(pid) {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if fields := strings.Fields(line); len(fields) == 3 && (fields[0] == "RssAnon:" || fields[0] == "RssShmem:") {
				kib, _ := strconv.ParseUint(fields[1], 10, 54)
				total += kib << 10
			}
		}
	}
	return total
}

// processor is the processor time that they have used.
func processor(pid int) (total time.Duration) {
	for _, pid := range family(pid) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		const user, system, ticks = 11, 12, 100
		if len(fields) <= system {
			continue
		}
		u, _ := strconv.ParseInt(fields[user], 10, 64)
		s, _ := strconv.ParseInt(fields[system], 10, 64)
		total += time.Duration(u+s) * time.Second / ticks
	}
	return total
}
