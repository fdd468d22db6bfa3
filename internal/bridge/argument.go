package bridge

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/identity"
	"inos/internal/submit"
)

// mostDeadline is a hundred years in milliseconds.
const mostDeadline = 100 * 366 * 24 * 60 * 60 * 1000

// checkCounts finds a console.Count of the options that is no count. A missing one means no limit,
// and 0 is never a count. Errors are *Error of errBadArgument.
func checkCounts(verb, name string, options any) error {
	v := reflect.ValueOf(options)
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		c, ok := v.Field(i).Interface().(console.Count)
		if !ok || c.Given == "" {
			continue
		}
		tag := v.Type().Field(i).Tag
		most, _ := strconv.ParseUint(tag.Get("most"), 10, 64)
		if c.N >= 1 && c.N <= most {
			continue
		}
		return failed(errBadArgument, "%s: %s.%s: expected a whole number of %s from 1 to %d, got %.40s; leave it out for %s",
			verb, name, jsonName(tag), tag.Get("of"), most, c.Given, tag.Get("absent"))
	}
	return nil
}

// orderOf is the job of a. Its deadline counts from asked.
func orderOf(a console.DispatchOptions, cid capsule.CID, self identity.PeerID, asked time.Time) submit.Order {
	o := submit.Order{
		Replicas: uint8(a.Replicas.N), Agree: uint8(a.Agree.N),
		Capsule:        cid,
		Method:         a.Method,
		Args:           a.Args,
		Input:          a.Input,
		Requirements:   a.Requirements(),
		Priority:       a.Priority,
		Budget:         a.Budget.N,
		CreditLedgerID: a.CreditLedgerID,
		Module:         "inos.console",
		Device:         self,
		TraceParent:    a.TraceParent,
	}
	if a.DeadlineMs.N > 0 {
		o.Deadline = asked.Add(time.Duration(a.DeadlineMs.N) * time.Millisecond)
	}
	return o
}

// spawnParams makes the parameters of a Spawn from a. Errors are *Error of errBadArgument.
func spawnParams(a console.SpawnOptions, cid capsule.CID) (*capsule.SpawnParams, error) {
	p := &capsule.SpawnParams{CID: cid.String(), MemoryLimit: a.MemoryLimit.N, Capabilities: a.Capabilities, Args: a.Args,
		CreditLedgerID: a.CreditLedgerID, Group: a.Group}
	restart := slices.Index([]string{"", "permanent", "transient", "temporary"}, a.Restart)
	strategy := slices.Index([]string{"one-for-one", "rest-for-one"}, a.Strategy)
	wrong := func(field, want, got string) error {
		return failed(errBadArgument, "spawn: options.%s: expected %s, got %.40q", field, want, got)
	}
	switch {
	case restart < 0:
		return nil, wrong("restart", "'permanent', 'transient' or 'temporary'", a.Restart)
	case strategy < 0 && a.Strategy != "":
		return nil, wrong("strategy", "'one-for-one' or 'rest-for-one'", a.Strategy)
	case a.Strategy != "" && a.Group == "":
		return nil, wrong("group", "a name, since there is a strategy", a.Group)
	}
	p.Restart, p.Strategy = capsule.RestartPolicy(restart), capsule.GroupStrategy(max(strategy, 0))
	return p, nil
}

// levelOf is the name of a log line's level in the page's log.
func levelOf(level int8) string {
	switch {
	case level < 0:
		return "debug"
	case level < 4:
		return "info"
	case level < 8:
		return "warn"
	}
	return "error"
}

// capsuleAddress splits a capsule's id of the console: PEER/ID on another node. node is empty for
// this node.
func capsuleAddress(s string) (node identity.PeerID, id string) {
	if peer, id, ok := strings.Cut(s, "/"); ok {
		return identity.PeerID(peer), id
	}
	return "", s
}

// addressOf is the reverse of capsuleAddress.
func addressOf(node, self identity.PeerID, id string) string {
	if node == "" || node == self || id == "" {
		return id
	}
	return string(node) + "/" + id
}

// jsonName is a field's name in the console.
func jsonName(tag reflect.StructTag) string {
	name, _, _ := strings.Cut(tag.Get("json"), ",")
	return name
}
