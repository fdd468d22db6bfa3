// Command scheduler runs the load simulation of internal/scheduler/sim. It prints
// the comparison of the policies and, with -docs, puts it into docs/scheduler.md
// and draws docs/scheduler.svg. Seeded: two runs print the same.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"inos/internal/scheduler/sim"
)

const (
	begin = "<!-- begin: written by make bench-scheduler -->\n"
	end   = "<!-- end -->\n"
)

func main() {
	docs := flag.String("docs", "", "folder to write scheduler.md's tables and scheduler.svg to")
	seeds := flag.Int("seeds", 5, "runs that every figure is the mean of")
	flag.Parse()
	if err := run(*docs, *seeds); err != nil {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

func run(docs string, seeds int) error {
	var m sim.Mesh
	var tables strings.Builder
	fmt.Fprintf(&tables, "Mean of the seeds 1 to %d.\n", seeds)
	for _, w := range sim.Workloads() {
		tables.WriteString("\n" + sim.Markdown(w, sim.Table(m, w, sim.Policies(), seeds)))
	}
	fmt.Print(tables.String())
	if docs == "" {
		return nil
	}
	loads := []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95}
	lines := sim.Sweep(m, sim.Workloads()[0], sim.Policies(), loads, min(seeds, 3))
	svg := sim.Chart("Load against p99, workload \"uniform\"", lines)
	if err := os.WriteFile(filepath.Join(docs, "scheduler.svg"), []byte(svg), 0o644); err != nil {
		return err
	}
	return replace(filepath.Join(docs, "scheduler.md"), tables.String())
}

// replace puts text between the two marks of file.
func replace(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has not the marks that the tables go between", file)
	}
	return os.WriteFile(file, []byte(head+begin+"\n"+text+"\n"+end+tail), 0o644)
}
