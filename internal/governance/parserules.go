package governance

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

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
		for c := capsule.Spawn; c.Known(); c++ {
			if c.String() == s {
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
