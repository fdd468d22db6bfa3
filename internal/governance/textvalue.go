package governance

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// words holds the words of a line after the name of its rule.
type words struct{ rest []string }

func (w *words) next() string {
	if len(w.rest) == 0 {
		return ""
	}
	s := w.rest[0]
	w.rest = w.rest[1:]
	return s
}

func (w *words) number(bits int) (uint64, error) {
	s := w.next()
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is no number below 2^%d", s, bits)
	}
	return n, nil
}

func number(bits int) text {
	return text{
		read:  func(w *words) (any, error) { return w.number(bits) },
		write: func(v any) string { return fmt.Sprint(v) },
		check: notNegative,
	}
}

func notNegative(v any) error {
	if n := reflect.ValueOf(v); n.CanInt() && n.Int() < 0 {
		return errors.New("is negative")
	}
	return nil
}

// oneWord returns a text of one word; check says which words are valid.
func oneWord(check func(string) error) text {
	return text{
		read:  func(w *words) (any, error) { return w.next(), nil },
		write: func(v any) string { return reflect.ValueOf(v).String() },
		check: func(v any) error { return check(reflect.ValueOf(v).String()) },
	}
}

var (
	quoted = text{
		read:  func(w *words) (any, error) { return w.next(), nil },
		write: func(v any) string { return strconv.Quote(v.(string)) },
	}
	moment = text{
		read: func(w *words) (any, error) {
			t, err := time.Parse(time.RFC3339Nano, w.next())
			if err != nil {
				err = errors.New("no time like 2026-01-31T12:00:00Z")
			}
			return t.UTC(), err
		},
		write: func(v any) string { return v.(time.Time).UTC().Format(time.RFC3339Nano) },
	}
	span = text{
		read: func(w *words) (any, error) {
			s := w.next()
			d, err := time.ParseDuration(s)
			if err != nil {
				err = fmt.Errorf("%q is no duration like 90s or 1h30m", s)
			}
			return d, err
		},
		write: func(v any) string { return fmt.Sprint(v) },
		check: notNegative,
	}
	metadata = text{
		read: func(w *words) (any, error) {
			s := w.next()
			for f := range fieldEnd {
				if f.String() == s {
					return f, nil
				}
			}
			return nil, fmt.Errorf("%q is no metadata field that can be required", s)
		},
		write: func(v any) string { return fmt.Sprint(v) },
		check: func(v any) error {
			if f := v.(Field); f >= fieldEnd {
				return fmt.Errorf("names the unknown %v", f)
			}
			return nil
		},
	}
	peer = oneWord(func(s string) error { _, err := identity.PeerID(s).PublicKey(); return err })

	capability = oneWord(capsule.CheckCapability)

	geoPrefix = oneWord(func(s string) error {
		if !IsGeoHash(s) {
			return fmt.Errorf("%q is no GeoHash prefix", s)
		}
		return nil
	})
	module = text{
		read:  func(w *words) (any, error) { return capsule.ParseCID(w.next()) },
		write: func(v any) string { return fmt.Sprint(v) },
		check: func(v any) error {
			if v.(capsule.CID).IsZero() {
				return errors.New("has an empty cid")
			}
			return nil
		},
	}
)

// credits is a number of microcredits, written in credits with at most six decimals.
var credits = text{
	read:  func(w *words) (any, error) { return w.credits() },
	write: func(v any) string { return creditsText(v.(uint64)) },
	check: func(v any) error {
		if v.(uint64) > 1<<60 {
			return errors.New("exceeds 2^60 microcredits")
		}
		return nil
	},
}

func (w *words) credits() (uint64, error) {
	s := w.next()
	whole, frac, point := strings.Cut(s, ".")
	if point && (frac == "" || len(frac) > 6) {
		return 0, fmt.Errorf("%q has not 1 to 6 digits after the point", s)
	}
	n, err := strconv.ParseUint(whole, 10, 64)
	m, err2 := strconv.ParseUint((frac + "000000")[:6], 10, 64)
	if err != nil || err2 != nil || n > (1<<62)/1_000_000 {
		return 0, fmt.Errorf("%q is no amount of credits", s)
	}
	return n*1e6 + m, nil
}

func creditsText(micro uint64) string {
	s := strconv.FormatUint(micro/1e6, 10)
	if rest := micro % 1e6; rest > 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return s
}

var byteUnits = []struct {
	name  string
	shift uint
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

var byteSize = text{
	read: func(w *words) (any, error) {
		s := w.next()
		digits, shift := s, uint(0)
		for _, u := range byteUnits {
			if rest, ok := strings.CutSuffix(s, u.name); ok {
				digits, shift = rest, u.shift
				break
			}
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || n<<shift>>shift != n {
			return nil, fmt.Errorf("%q is no number of bytes", s)
		}
		return n << shift, nil
	},
	write: func(v any) string {
		n := v.(uint64)
		for _, u := range byteUnits {
			if n%(1<<u.shift) == 0 {
				return fmt.Sprintf("%d%s", n>>u.shift, u.name)
			}
		}
		return strconv.FormatUint(n, 10)
	},
}
