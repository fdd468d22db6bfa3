package governance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Text forms of values of several words.

// perMinute is "N burst M", N a minute.
var perMinute = text{
	read:  func(w *words) (any, error) { return w.rate() },
	write: func(v any) string { return v.(Rate).String() },
}

func (w *words) rate() (r Rate, err error) {
	n, err := w.number(32)
	if r.PerMinute = uint32(n); err == nil && len(w.rest) > 0 && w.rest[0] == "burst" {
		w.next()
		n, err = w.number(32)
		r.Burst = uint32(n)
	}
	return r, err
}

// String is "N burst M", N a minute.
func (r Rate) String() string {
	s := strconv.FormatUint(uint64(r.PerMinute), 10)
	if r.Burst > 0 {
		s += fmt.Sprintf(" burst %d", r.Burst)
	}
	return s
}

// ledgerTerms is a ledger's id, followed by its overrides.
var ledgerTerms = text{
	read: func(w *words) (any, error) {
		l := LedgerRule{Ledger: identity.LedgerID(w.next())}
		for len(w.rest) > 0 {
			var err error
			switch term := w.next(); term {
			case "deny":
				l.Deny = true
			case "budget":
				l.Budget, err = w.credits()
			case "rate":
				l.Rate, err = w.rate()
			case "concurrency":
				var n uint64
				n, err = w.number(31)
				l.Concurrency = int(n)
			default:
				err = fmt.Errorf("%q: expected deny, budget, rate or concurrency", term)
			}
			if err != nil {
				return l, err
			}
		}
		return l, nil
	},
	write: func(v any) string {
		l := v.(LedgerRule)
		s := string(l.Ledger)
		if l.Deny {
			s += " deny"
		}
		if l.Budget > 0 {
			s += " budget " + creditsText(l.Budget)
		}
		if l.Rate != (Rate{}) {
			s += " rate " + l.Rate.String()
		}
		if l.Concurrency > 0 {
			s += fmt.Sprintf(" concurrency %d", l.Concurrency)
		}
		return s
	},
	check: func(v any) error {
		l := v.(LedgerRule)
		_, err := l.Ledger.PublicKey()
		if err == nil && (l.Concurrency < 0 || credits.check(l.Budget) != nil) {
			err = fmt.Errorf("%s has a figure out of range", l.Ledger)
		}
		return err
	},
}

// commands is the peer that may send commands, followed by their names; "anybody", "all".
var commands = text{
	read: func(w *words) (any, error) {
		var l LifecycleRule
		if who := w.next(); who != "anybody" {
			l.Peer = identity.PeerID(who)
		}
		if len(w.rest) == 0 {
			return l, errors.New("expected commands, or all")
		}
		if len(w.rest) == 1 && w.rest[0] == "all" {
			w.next()
			return l, nil
		}
	next:
		for len(w.rest) > 0 {
			s := w.next()
			for c := range capsule.Feed + 1 {
				if c.String() == s {
					l.Commands = append(l.Commands, c)
					continue next
				}
			}
			return l, fmt.Errorf("%q is no lifecycle command", s)
		}
		return l, nil
	},
	write: func(v any) string {
		l := v.(LifecycleRule)
		s := "anybody"
		if l.Peer != "" {
			s = string(l.Peer)
		}
		for _, c := range l.Commands {
			s += " " + c.String()
		}
		if len(l.Commands) == 0 {
			s += " all"
		}
		return s
	},
	check: func(v any) error {
		l := v.(LifecycleRule)
		for _, c := range l.Commands {
			if c > capsule.Feed {
				return fmt.Errorf("names the unknown command %d", c)
			}
		}
		if l.Peer == "" {
			return nil
		}
		return peer.check(string(l.Peer))
	},
}

// hours is a span of the day, with its offset from UTC and its least priority.
var hours = text{
	read: func(w *words) (any, error) {
		var q QuietHours
		var err error
		s := w.next()
		from, to, _ := strings.Cut(s, "-")
		if q.From, err = minuteOf(from); err == nil {
			q.To, err = minuteOf(to)
		}
		if err != nil {
			return q, fmt.Errorf("%q is no span like 22:00-06:00", s)
		}
		for len(w.rest) > 0 {
			switch term := w.next(); term {
			case "offset":
				if q.Offset, err = time.ParseDuration(w.next()); err != nil {
					return q, fmt.Errorf("offset: %w", err)
				}
			case "below":
				n, err := w.number(8)
				if err != nil {
					return q, err
				}
				q.MinPriority = uint8(n)
			default:
				return q, fmt.Errorf("%q: expected offset or below", term)
			}
		}
		return q, nil
	},
	write: func(v any) string {
		q := v.(QuietHours)
		s := fmt.Sprintf("%02d:%02d-%02d:%02d", q.From/60, q.From%60, q.To/60, q.To%60)
		if q.Offset != 0 {
			s += fmt.Sprintf(" offset %v", q.Offset)
		}
		if q.MinPriority > 0 {
			s += fmt.Sprintf(" below %d", q.MinPriority)
		}
		return s
	},
	check: func(v any) error {
		q := v.(QuietHours)
		if q.From > 1439 || q.To > 1439 || q.Offset < -14*time.Hour || q.Offset > 14*time.Hour || q.Offset%time.Minute != 0 {
			return errors.New("hours out of range")
		}
		return nil
	},
}

// minuteOf parses a time of day as its minute.
func minuteOf(s string) (uint16, error) {
	h, m, ok := strings.Cut(s, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || err1 != nil || err2 != nil || hour > 23 || minute > 59 {
		return 0, fmt.Errorf("%q is no time like 06:30", s)
	}
	return uint16(hour*60 + minute), nil
}
