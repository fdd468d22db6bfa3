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
