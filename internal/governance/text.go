package governance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPolicyText bounds the text form, in bytes.
const maxPolicyText = 1 << 20

// ParsePolicy reads and checks the text form: one rule a line, '#' starts a comment. Errors
// match ErrPolicyInvalid and name the line.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	if len(text) > maxPolicyText {
		return p, fmt.Errorf("%w: %d bytes, at most %d", ErrPolicyInvalid, len(text), maxPolicyText)
	}
	seen := make(map[*textRule]bool)
	for i, line := range strings.Split(text, "\n") {
		if err := p.parseLine(line, seen); err != nil {
			return Policy{}, fmt.Errorf("%w: line %d: %v", ErrPolicyInvalid, i+1, err)
		}
	}
	if err := p.Check(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// parseLine applies one line to p. seen holds the rules that have had a line.
func (p *Policy) parseLine(line string, seen map[*textRule]bool) error {
	said, err := splitLine(line)
	if err != nil || len(said) == 0 {
		return err
	}
	rule, rest := ruleOn(said)
	switch {
	case rule == nil:
		return fmt.Errorf("unknown rule %q", said[0])
	case !rule.many() && seen[rule]:
		return fmt.Errorf("%q comes twice", rule.name)
	case len(rest.rest) == 0:
		return fmt.Errorf("%q needs more words", rule.name)
	}
	seen[rule] = true
	return rule.read(p, rest)
}

// splitLine splits at blanks. One quoted word may follow the first.
func splitLine(line string) ([]string, error) {
	line = strings.TrimSpace(line)
	if key, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(strings.TrimSpace(rest), `"`) {
		rest = strings.TrimSpace(rest)
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, errors.New("quotes do not match")
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

// String writes p in the text form that ParsePolicy reads, one rule a line, without the
// defaults. ParsePolicy(p.String()) is p, for every p that Check accepts.
func (p Policy) String() string {
	var b strings.Builder
	for i := range policyRules {
		for _, line := range policyRules[i].lines(&p) {
			b.WriteString(policyRules[i].name + " " + line + "\n")
		}
	}
	return b.String()
}

// InForce writes p in the text form with every default: "# default" marks the figures that p
// leaves out, and a comment stands for each rule that it does not have. ParsePolicy reads it as
// p with its defaults filled in.
func (p Policy) InForce() string {
	var b, absent strings.Builder
	filled := p.withDefaults()
	for i := range policyRules {
		r, end := &policyRules[i], "\n"
		lines := r.lines(&p)
		if len(lines) == 0 {
			lines, end = r.lines(&filled), "  # default\n"
		}
		for _, line := range lines {
			b.WriteString(r.name + " " + line + end)
		}
		if len(lines) == 0 && r.absence != "" {
			absent.WriteString("# " + r.name + ": " + r.absence + "\n")
		}
	}
	return b.String() + absent.String()
}

// withDefaults replaces zero figures by their defaults.
func (p Policy) withDefaults() Policy {
	for i := range policyRules {
		policyRules[i].fill(&p)
	}
	return p
}
