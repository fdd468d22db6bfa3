package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"
	"syscall/js"

	"inos/internal/jsinterop"
)

// value turns a result into plain JavaScript data. One JSON text crosses instead of one call for
// each field. Struct fields with the tag bytes become Uint8Arrays beside it; with omitempty a nil
// one is left out.
func (p *promises) value(v any) (js.Value, error) {
	if v == nil {
		return js.Undefined(), nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return js.Undefined(), fmt.Errorf("bridge: %T does not encode: %w", v, err)
	}
	out := p.parse.Call("parse", string(text))
	for f, bytes := range binaryFields(reflect.ValueOf(v)) {
		if b := bytes.Bytes(); b != nil || !f.optional {
			out.Set(f.name, jsinterop.Uint8Array(b))
		}
	}
	return out, nil
}

// binaryField is a field that crosses beside the JSON.
type binaryField struct {
	name     string
	optional bool
}

// binaryFields are a struct's fields with the tag bytes; other values have none.
func binaryFields(v reflect.Value) iter.Seq2[binaryField, reflect.Value] {
	return func(yield func(binaryField, reflect.Value) bool) {
		if v.Kind() != reflect.Struct {
			return
		}
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("bytes")
			if tag == "" {
				continue
			}
			name, options, _ := strings.Cut(tag, ",")
			if !yield(binaryField{name, options != ""}, v.Field(i)) {
				return
			}
		}
	}
}

// bytesFromJS reads a string (UTF-8), an ArrayBuffer or any view on one.
func bytesFromJS(verb, name string, v js.Value) ([]byte, error) {
	switch {
	case v.IsUndefined() || v.IsNull():
		return nil, nil
	case v.Type() == js.TypeString:
		return []byte(v.String()), nil
	}
	b, ok := jsinterop.Bytes(v)
	if !ok {
		return nil, badArgument(verb, name, "a string, Uint8Array or ArrayBuffer", kindOf(v))
	}
	return b, nil
}

// object reads a plain JavaScript object into the struct that into points to, by its json tags, and
// bytes of any form into the fields with the tag bytes. The error names unknown fields, wrong types
// and a console.Count that is no count.
func object(verb, name string, v js.Value, into any) error {
	if v.IsUndefined() || v.IsNull() {
		return nil
	}
	if v.Type() != js.TypeObject || js.Global().Get("Array").Call("isArray", v).Bool() {
		return badArgument(verb, name, "an object", kindOf(v))
	}
	plain := js.Global().Get("Object").Call("assign", map[string]any{}, v)
	to := reflect.ValueOf(into).Elem()
	for f, bytes := range binaryFields(to) {
		b, err := bytesFromJS(verb, name+"."+f.name, v.Get(f.name))
		if err != nil {
			return err
		}
		bytes.SetBytes(b)
		plain.Delete(f.name)
	}
	text := js.Global().Get("JSON").Call("stringify", plain)
	dec := json.NewDecoder(strings.NewReader(text.String()))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return checkCounts(verb, name, to.Interface())
	case errors.As(err, &wrongType):
		return badArgument(verb, name+"."+wrongType.Field, expected(wrongType.Type), "a "+wrongType.Value)
	case strings.Contains(err.Error(), "unknown field"):
		_, field, _ := strings.Cut(err.Error(), "unknown field ")
		return failed(errBadArgument, "%s: %s has no field %s; its fields are %s", verb, name, field, strings.Join(fieldsOf(to), ", "))
	}
	return failed(errBadArgument, "%s: %s: %v", verb, name, err)
}

// expected names, in JavaScript's words, the values that a Go type takes.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Uint8:
		return "an integer from 0 to 255"
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		return "a non-negative integer"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array of " + strings.TrimPrefix(strings.TrimPrefix(expected(t.Elem()), "an "), "a ") + "s"
	}
	return "an object"
}

// fieldsOf are the console's names of a struct's fields, sorted.
func fieldsOf(v reflect.Value) (names []string) {
	for i := range v.NumField() {
		if name := jsonName(v.Type().Field(i).Tag); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	for f := range binaryFields(v) {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// text reads a string argument.
func text(verb, name string, v js.Value) (string, error) {
	if v.Type() != js.TypeString || v.String() == "" {
		return "", badArgument(verb, name, "a non-empty string", kindOf(v))
	}
	return v.String(), nil
}

func kindOf(v js.Value) string {
	switch v.Type() {
	case js.TypeUndefined:
		return "nothing"
	case js.TypeNull:
		return "null"
	case js.TypeObject:
		if js.Global().Get("Array").Call("isArray", v).Bool() {
			return "an array"
		}
		return "an object"
	case js.TypeString:
		if v.String() == "" {
			return "an empty string"
		}
	}
	return "a " + v.Type().String()
}

func badArgument(verb, name, want, got string) error {
	return failed(errBadArgument, "%s: %s: expected %s, got %s", verb, name, want, got)
}
