package governance

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// maxPolicyText bounds the text form, in bytes.
const maxPolicyText = 1 << 20

// ParsePolicy reads the text form: one rule a line, '#' starts a comment. Errors
// match ErrPolicyInvalid and name the line. The policy has been checked.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	if len(text) > maxPolicyText {
		return p, fmt.Errorf("%w: %d bytes, at most %d", ErrPolicyInvalid, len(text), maxPolicyText)
	}
	seen := make(map[string]bool)
	for i, line := range strings.Split(text, "\n") {
		words, err := splitLine(line)
		if err == nil && len(words) > 0 {
			key := words[0]
			if rule, ok := parsers[key]; !ok {
				err = fmt.Errorf("unknown rule %q", key)
			} else if rule.once && seen[key] {
				err = fmt.Errorf("%q comes twice", key)
			} else if len(words)-1 < rule.args {
				err = fmt.Errorf("%q needs more words", key)
			} else {
				seen[key] = true
				err = rule.parse(&p, &ruleWords{rest: words[1:]})
			}
		}
		if err != nil {
			return Policy{}, fmt.Errorf("%w: line %d: %v", ErrPolicyInvalid, i+1, err)
		}
	}
	if err := p.Check(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// splitLine splits at blanks; one quoted word may follow the first.
func splitLine(line string) ([]string, error) {
	line = strings.TrimSpace(line)
	if key, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(strings.TrimSpace(rest), `"`) {
		rest = strings.TrimSpace(rest)
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("quotes do not match")
		}
		after := strings.TrimSpace(rest[len(quoted):])
		if after != "" && after[0] != '#' {
			return nil, fmt.Errorf("%q after the quoted word", after)
		}
		word, err := strconv.Unquote(quoted)
		return []string{key, word}, err
	}
	if at := strings.IndexByte(line, '#'); at >= 0 {
		line = line[:at]
	}
	return strings.Fields(line), nil
}

// ruleWords hands out the words of a rule after its first.
type ruleWords struct{ rest []string }

func (w *ruleWords) next() string {
	if len(w.rest) == 0 {
		return ""
	}
	s := w.rest[0]
	w.rest = w.rest[1:]
	return s
}

func (w *ruleWords) end() error {
	if len(w.rest) > 0 {
		return fmt.Errorf("%q is one word too many", w.rest[0])
	}
	return nil
}

func (w *ruleWords) number(bits int) (uint64, error) {
	s := w.next()
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is no number below 2^%d", s, bits)
	}
	return n, nil
}

func (w *ruleWords) duration(to *time.Duration) error {
	s := w.next()
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration like 90s or 1h30m", s)
	}
	*to = d
	return w.end()
}

type parser struct {
	args  int
	once  bool
	parse func(p *Policy, w *ruleWords) error
}

var parsers map[string]parser

func init() {
	duration := func(field func(*Policy) *time.Duration) parser {
		return parser{1, true, func(p *Policy, w *ruleWords) error { return w.duration(field(p)) }}
	}
	parsers = map[string]parser{
		"policy": {1, true, func(p *Policy, w *ruleWords) error { p.Name = w.next(); return w.end() }},
		"version": {1, true, func(p *Policy, w *ruleWords) (err error) {
			if p.Version, err = w.number(64); err != nil {
				return err
			}
			return w.end()
		}},
		"issued": {1, true, func(p *Policy, w *ruleWords) (err error) {
			if p.Issued, err = time.Parse(time.RFC3339Nano, w.next()); err != nil {
				return fmt.Errorf("no time like 2026-01-31T12:00:00Z")
			}
			p.Issued = p.Issued.UTC()
			return w.end()
		}},
		"require":          {1, false, parseRequire},
		"max-skew":         duration(func(p *Policy) *time.Duration { return &p.MaxSkew }),
		"max-age":          duration(func(p *Policy) *time.Duration { return &p.MaxAge }),
		"default-deadline": duration(func(p *Policy) *time.Duration { return &p.DefaultDeadline }),
		"max-deadline":     duration(func(p *Policy) *time.Duration { return &p.MaxDeadline }),
		"max-run":          duration(func(p *Policy) *time.Duration { return &p.MaxRun }),
		"publisher": {1, false, func(p *Policy, w *ruleWords) error {
			p.Publishers = append(p.Publishers, identity.PeerID(w.next()))
			return w.end()
		}},
		"capsule": {1, false, func(p *Policy, w *ruleWords) error {
			c, err := capsule.ParseCID(w.next())
			if err != nil {
				return err
			}
			p.Capsules = append(p.Capsules, c)
			return w.end()
		}},
		"capability": {1, false, func(p *Policy, w *ruleWords) error {
			p.Capabilities = append(p.Capabilities, w.rest...)
			return nil
		}},
		"deny": {2, false, parseDeny},
		"budget": {1, true, func(p *Policy, w *ruleWords) (err error) {
			if p.Budget, err = parseCredits(w.next()); err != nil {
				return err
			}
			return w.end()
		}},
		"priority": {1, true, func(p *Policy, w *ruleWords) error {
			n, err := w.number(8)
			if err != nil {
				return err
			}
			p.Priority = uint8(n)
			return w.end()
		}},
		"rate": {1, true, func(p *Policy, w *ruleWords) (err error) {
			if p.Rate, err = parseRate(w); err != nil {
				return err
			}
			return w.end()
		}},
		"concurrency": {1, true, func(p *Policy, w *ruleWords) error {
			n, err := w.number(31)
			if err != nil {
				return err
			}
			p.Concurrency = int(n)
			return w.end()
		}},
		"ledger": {1, false, parseLedger},
		"max-memory": {1, true, func(p *Policy, w *ruleWords) (err error) {
			if p.MaxMemory, err = parseBytes(w.next()); err != nil {
				return err
			}
			return w.end()
		}},
		"residency": {1, false, func(p *Policy, w *ruleWords) error {
			p.Residency = append(p.Residency, w.rest...)
			return nil
		}},
		"lifecycle": {2, false, parseLifecycle},
		"quiet":     {1, false, parseQuiet},
	}
}

func parseRequire(p *Policy, w *ruleWords) error {
	for _, s := range w.rest {
		f := Field(0)
		for f < fieldEnd && fieldNames[f] != s {
			f++
		}
		if f == fieldEnd {
			return fmt.Errorf("%q is no metadata field that can be required", s)
		}
		p.Require = append(p.Require, f)
	}
	return nil
}

func parseDeny(p *Policy, w *ruleWords) error {
	switch what := w.next(); what {
	case "capsule":
		c, err := capsule.ParseCID(w.next())
		if err != nil {
			return err
		}
		p.DenyCapsules = append(p.DenyCapsules, c)
		return w.end()
	case "capability":
		p.DenyCapabilities = append(p.DenyCapabilities, w.rest...)
		return nil
	default:
		return fmt.Errorf("deny %q: expected capsule or capability", what)
	}
}

func parseRate(w *ruleWords) (r Rate, err error) {
	n, err := w.number(32)
	if err != nil {
		return r, err
	}
	r.PerMinute = uint32(n)
	if len(w.rest) > 0 && w.rest[0] == "burst" {
		w.next()
		if n, err = w.number(32); err != nil {
			return r, err
		}
		r.Burst = uint32(n)
	}
	return r, nil
}

func parseLedger(p *Policy, w *ruleWords) error {
	l := LedgerRule{Ledger: identity.LedgerID(w.next())}
	for len(w.rest) > 0 {
		var err error
		switch term := w.next(); term {
		case "deny":
			l.Deny = true
		case "budget":
			l.Budget, err = parseCredits(w.next())
		case "rate":
			l.Rate, err = parseRate(w)
		case "concurrency":
			var n uint64
			n, err = w.number(31)
			l.Concurrency = int(n)
		default:
			err = fmt.Errorf("%q: expected deny, budget, rate or concurrency", term)
		}
		if err != nil {
			return err
		}
	}
	p.Ledgers = append(p.Ledgers, l)
	return nil
}

func parseLifecycle(p *Policy, w *ruleWords) error {
	var l LifecycleRule
	if who := w.next(); who != "anybody" {
		l.Peer = identity.PeerID(who)
	}
	if len(w.rest) == 1 && w.rest[0] == "all" {
		p.Lifecycle = append(p.Lifecycle, l)
		return nil
	}
next:
	for _, s := range w.rest {
		for c, name := range commandNames {
			if name == s {
				l.Commands = append(l.Commands, c)
				continue next
			}
		}
		return fmt.Errorf("%q is no lifecycle command", s)
	}
	p.Lifecycle = append(p.Lifecycle, l)
	return nil
}

func parseQuiet(p *Policy, w *ruleWords) error {
	var q QuietHours
	span := w.next()
	from, to, _ := strings.Cut(span, "-")
	var err error
	if q.From, err = parseClock(from); err == nil {
		q.To, err = parseClock(to)
	}
	if err != nil {
		return fmt.Errorf("%q is no span like 22:00-06:00", span)
	}
	for len(w.rest) > 0 {
		switch term := w.next(); term {
		case "offset":
			if q.Offset, err = time.ParseDuration(w.next()); err != nil {
				return fmt.Errorf("offset: %v", err)
			}
		case "below":
			n, err := w.number(8)
			if err != nil {
				return err
			}
			q.MinPriority = uint8(n)
		default:
			return fmt.Errorf("%q: expected offset or below", term)
		}
	}
	p.Quiet = append(p.Quiet, q)
	return nil
}

func parseClock(s string) (uint16, error) {
	h, m, ok := strings.Cut(s, ":")
	hours, err1 := strconv.ParseUint(h, 10, 8)
	minutes, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || err1 != nil || err2 != nil || hours > 23 || minutes > 59 {
		return 0, fmt.Errorf("%q is no time like 06:30", s)
	}
	return uint16(hours*60 + minutes), nil
}
