package governance

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// textRule is a rule of a policy: one or several lines of its text form.
type textRule struct {
	name      string            // first word of the line
	as        text              // form of a value
	of        func(*Policy) any // a pointer to the field, which is a value or a slice of values
	byDefault any               // value of a zero field; nil: no default
	stated    bool              // written even when it is zero
	together  bool              // several values are written on one line
	absence   string            // comment for a rule with neither a line nor a default
}

// text is the text form of a value: one word or several. It works on any type that converts to
// the field's type.
type text struct {
	read  func(*words) (any, error)
	write func(any) string
	check func(any) error // nil: every value is valid
}

func (r *textRule) field(p *Policy) reflect.Value { return reflect.ValueOf(r.of(p)).Elem() }

// many reports whether the rule can have several values.
func (r *textRule) many() bool { return r.field(new(Policy)).Kind() == reflect.Slice }

// read applies a line's value to p, or all its values if the rule has many.
func (r *textRule) read(p *Policy, w *words) error {
	to := r.field(p)
	if !r.many() {
		v, err := r.as.read(w)
		if err == nil && len(w.rest) > 0 {
			err = fmt.Errorf("%q is one word too many", w.rest[0])
		}
		if err == nil {
			to.Set(reflect.ValueOf(v).Convert(to.Type()))
		}
		return err
	}
	for len(w.rest) > 0 {
		v, err := r.as.read(w)
		if err != nil {
			return err
		}
		to.Set(reflect.Append(to, reflect.ValueOf(v).Convert(to.Type().Elem())))
	}
	return nil
}

// values returns the values in p. A zero field of one value has none, unless stated is set.
func (r *textRule) values(p *Policy) (values []any) {
	v := r.field(p)
	if !r.many() {
		if !r.stated && v.IsZero() {
			return nil
		}
		return []any{v.Interface()}
	}
	for i := range v.Len() {
		values = append(values, v.Index(i).Interface())
	}
	return values
}

// lines returns the text after the name, one element per line.
func (r *textRule) lines(p *Policy) (lines []string) {
	for _, v := range r.values(p) {
		lines = append(lines, r.as.write(v))
	}
	if r.together && len(lines) > 1 {
		lines = []string{strings.Join(lines, " ")}
	}
	return lines
}

// check returns what is wrong with the values in p.
func (r *textRule) check(p *Policy) error {
	values := r.values(p)
	if len(values) > maxPolicyItems {
		return fmt.Errorf("has %d items, at most %d", len(values), maxPolicyItems)
	}
	if r.as.check != nil {
		for _, v := range values {
			if err := r.as.check(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill sets the default where there is no value.
func (r *textRule) fill(p *Policy) {
	if v := r.field(p); r.byDefault != nil && v.IsZero() {
		v.Set(reflect.ValueOf(r.byDefault).Convert(v.Type()))
	}
}

// ruleOn returns the rule that a line is about, and the words after its name.
func ruleOn(line []string) (*textRule, *words) {
	for i := range policyRules {
		name := strings.Fields(policyRules[i].name)
		if n := len(name); len(line) >= n && slices.Equal(line[:n], name) {
			return &policyRules[i], &words{rest: line[n:]}
		}
	}
	return nil, nil
}
