package governance

import "strings"

// InForce writes what p comes to in the text form: every figure, with "# default" behind
// those that p leaves out, and a comment for each rule that it does not have.
// ParsePolicy reads it, as p with its defaults filled in.
func (p Policy) InForce() string {
	stated := make(map[string]bool)
	for line := range strings.Lines(p.String()) {
		stated[line] = true
	}
	var b strings.Builder
	for line := range strings.Lines(p.withDefaults().String()) {
		if stated[line] {
			b.WriteString(line)
			continue
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "  # default\n")
	}
	for _, r := range []struct {
		absent bool
		says   string
	}{
		{len(p.Require) == 0, "require: nothing but creditLedgerId"},
		{len(p.Publishers) == 0, "publisher: anybody"},
		{len(p.Capsules) == 0, "capsule: any"},
		{p.DefaultDeadline == 0, "default-deadline: none"},
		{p.Rate == Rate{}, "rate: no limit"},
		{p.Concurrency == 0, "concurrency: no limit"},
		{len(p.Capabilities) == 0, "capability: any"},
		{len(p.Residency) == 0, "residency: anywhere"},
		{len(p.Lifecycle) == 0, "lifecycle: the console, and whoever spawned the capsule"},
		{len(p.Quiet) == 0, "quiet: never"},
	} {
		if r.absent {
			b.WriteString("# " + r.says + "\n")
		}
	}
	return b.String()
}
