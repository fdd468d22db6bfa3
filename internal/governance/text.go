package governance

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String writes p in the text form that ParsePolicy reads, one rule a line; what
// has its default is left out. ParsePolicy(p.String()) is p, for every p that
// Check accepts.
func (p Policy) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	duration := func(name string, d time.Duration) {
		if d != 0 {
			line("%s %v", name, d)
		}
	}
	line("policy %s", strconv.Quote(p.Name))
	line("version %d", p.Version)
	if !p.Issued.IsZero() {
		line("issued %s", p.Issued.UTC().Format(time.RFC3339Nano))
	}
	if len(p.Require) > 0 {
		b.WriteString("require")
		for _, f := range p.Require {
			b.WriteString(" " + f.String())
		}
		b.WriteByte('\n')
	}
	duration("max-skew", p.MaxSkew)
	duration("max-age", p.MaxAge)
	for _, id := range p.Publishers {
		line("publisher %s", id)
	}
	for _, c := range p.Capsules {
		line("capsule %s", c)
	}
	for _, c := range p.DenyCapsules {
		line("deny capsule %s", c)
	}
	if p.Budget > 0 {
		line("budget %s", credits(p.Budget))
	}
	if p.Priority > 0 {
		line("priority %d", p.Priority)
	}
	duration("default-deadline", p.DefaultDeadline)
	duration("max-deadline", p.MaxDeadline)
	if p.Rate != (Rate{}) {
		line("%s", p.Rate)
	}
	if p.Concurrency > 0 {
		line("concurrency %d", p.Concurrency)
	}
	for _, l := range p.Ledgers {
		line("ledger %s%s", l.Ledger, l.terms())
	}
	for _, c := range p.Capabilities {
		line("capability %s", c)
	}
	for _, c := range p.DenyCapabilities {
		line("deny capability %s", c)
	}
	if p.MaxMemory > 0 {
		line("max-memory %s", bytesText(p.MaxMemory))
	}
	duration("max-run", p.MaxRun)
	for _, g := range p.Residency {
		line("residency %s", g)
	}
	for _, l := range p.Lifecycle {
		who, what := "anybody", ""
		if l.Peer != "" {
			who = string(l.Peer)
		}
		for _, c := range l.Commands {
			what += " " + c.String()
		}
		if what == "" {
			what = " all"
		}
		line("lifecycle %s%s", who, what)
	}
	for _, q := range p.Quiet {
		s := fmt.Sprintf("quiet %02d:%02d-%02d:%02d", q.From/60, q.From%60, q.To/60, q.To%60)
		if q.Offset != 0 {
			s += fmt.Sprintf(" offset %v", q.Offset)
		}
		if q.MinPriority > 0 {
			s += fmt.Sprintf(" below %d", q.MinPriority)
		}
		line("%s", s)
	}
	return b.String()
}

// String is "rate N burst M", N a minute.
func (r Rate) String() string {
	s := fmt.Sprintf("rate %d", r.PerMinute)
	if r.Burst > 0 {
		s += fmt.Sprintf(" burst %d", r.Burst)
	}
	return s
}

func (l LedgerRule) terms() string {
	var s string
	if l.Deny {
		s += " deny"
	}
	if l.Budget > 0 {
		s += " budget " + credits(l.Budget)
	}
	if l.Rate != (Rate{}) {
		s += " " + l.Rate.String()
	}
	if l.Concurrency > 0 {
		s += fmt.Sprintf(" concurrency %d", l.Concurrency)
	}
	return s
}

// credits writes microcredits as credits, exactly.
func credits(micro uint64) string {
	s := strconv.FormatUint(micro/1e6, 10)
	if rest := micro % 1e6; rest > 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return s
}

// parseCredits reads what credits wrote: digits, at most six after the point.
func parseCredits(s string) (uint64, error) {
	whole, frac, point := strings.Cut(s, ".")
	if point && (frac == "" || len(frac) > 6) {
		return 0, fmt.Errorf("%q has not 1 to 6 digits after the point", s)
	}
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || n > (1<<62)/1_000_000 {
		return 0, fmt.Errorf("%q is no amount of credits", s)
	}
	n *= 1e6
	if point {
		m, err := strconv.ParseUint(frac+strings.Repeat("0", 6-len(frac)), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no amount of credits", s)
		}
		n += m
	}
	return n, nil
}

var byteUnits = []struct {
	name  string
	shift uint
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

func bytesText(n uint64) string {
	for _, u := range byteUnits {
		if n%(1<<u.shift) == 0 {
			return fmt.Sprintf("%d%s", n>>u.shift, u.name)
		}
	}
	return strconv.FormatUint(n, 10)
}

func parseBytes(s string) (uint64, error) {
	shift := uint(0)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, shift = rest, u.shift
			break
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n<<shift>>shift != n {
		return 0, fmt.Errorf("%q is no number of bytes", s)
	}
	return n << shift, nil
}
