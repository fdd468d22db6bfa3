package governance

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// textRule is a rule of a policy: a line of its text form, or several.
type textRule struct {
	name      string            // what the line begins with
	as        text              // how a value reads
	of        func(*Policy) any // a pointer to the field, which is a value or a slice of values
	byDefault any               // what a zero field means; nil: nothing
	stated    bool              // it is written also where it is zero
	together  bool              // several values are written on one line
	absence   string            // what the rule comes to that has neither a line nor a default
}

// text is how a value reads: one word or several. Values of a type that converts to that of
// the field will do.
type text struct {
	read  func(*words) (any, error)
	write func(any) string
	check func(any) error // nil: every value is good
}

func (r *textRule) field(p *Policy) reflect.Value { return reflect.ValueOf(r.of(p)).Elem() }

// many reports whether the rule has any number of values.
func (r *textRule) many() bool { return r.field(new(Policy)).Kind() == reflect.Slice }

// read takes over what a line says: one value, or as many as there are.
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

// values are those that p has; none where a field is zero that says nothing then.
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

// lines are what follows the name, by line.
func (r *textRule) lines(p *Policy) (lines []string) {
	for _, v := range r.values(p) {
		lines = append(lines, r.as.write(v))
	}
	if r.together && len(lines) > 1 {
		lines = []string{strings.Join(lines, " ")}
	}
	return lines
}

// check says what is wrong with the values that p has.
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

// fill puts the default in where there is no value.
func (r *textRule) fill(p *Policy) {
	if v := r.field(p); r.byDefault != nil && v.IsZero() {
		v.Set(reflect.ValueOf(r.byDefault).Convert(v.Type()))
	}
}

// ruleOn finds the rule that a line is about, and what the line says besides its name.
func ruleOn(line []string) (*textRule, *words) {
	for i := range policyRules {
		name := strings.Fields(policyRules[i].name)
		if n := len(name); len(line) >= n && slices.Equal(line[:n], name) {
			return &policyRules[i], &words{rest: line[n:]}
		}
	}
	return nil, nil
}
