package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"inos/cmd/internal/node"
	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/store"
)

// The types of flags. The error of each says what is wrong with a text and what would be right.
type (
	microcredits uint64 // whole microcredits
	credits      uint64 // microcredits, written as credits
	count        int    // not negative
	duration     time.Duration
	byteSize     uint64
	memoryLimit  uint64 // bytes of one capsule; 0: what it declares
	logSize      uint64 // 0: all
	label        string // for people
	geoHash      string // empty: none
	nearby       string // GEOHASH:KM
	capability   string
	listenAddr   string // multiaddr
	dialAddr     string // multiaddr
	peerID       identity.PeerID
	ledgerID     identity.LedgerID
	webURL       string // empty: none
	tcpAddr      string
	monitorAddr  string // empty: none
)

func unsigned(text []byte, what, example string) (uint64, error) {
	n, err := strconv.ParseUint(string(text), 10, 62)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no %s: expected a whole number, for example %s", text, what, example)
	}
	return n, nil
}

func (m *microcredits) UnmarshalText(text []byte) error {
	n, err := unsigned(text, "number of microcredits", "10")
	*m = microcredits(n)
	return err
}

func (c *credits) UnmarshalText(text []byte) error {
	n, err := credit.ParseCredits(string(text))
	if err != nil {
		return fmt.Errorf("%.40q is no number of credits: expected one with at most 6 decimals, for example 2.5", text)
	}
	*c = credits(n)
	return nil
}

func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 20)
	if err != nil {
		return fmt.Errorf("%.40q is no such number: expected a whole one from 0 to %d, for example 4", text, 1<<20-1)
	}
	*c = count(n)
	return nil
}

func (d *duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil || t < 0 {
		return fmt.Errorf("%.40q is no length of time: expected a number with its unit, for example 90s, 2m30s or 250ms", text)
	}
	*d = duration(t)
	return nil
}

// leastMemory is the memory that one capsule and its compilation need, in bytes.
const leastMemory = 256 << 20

func (b *byteSize) UnmarshalText(text []byte) error {
	n, ok := parseSize(string(text))
	if !ok || n < leastMemory {
		return fmt.Errorf("%.40q is no size of memory: expected at least 256MiB, as a whole number with KiB, MiB, GiB or TiB", text)
	}
	*b = byteSize(n)
	return nil
}

func (m *memoryLimit) UnmarshalText(text []byte) error {
	n, ok := parseSize(string(text))
	if !ok || n == 0 {
		return fmt.Errorf("%.40q is no size of a capsule's memory: expected a whole number with KiB, MiB, GiB or TiB, for example 16MiB", text)
	}
	*m = memoryLimit(n)
	return nil
}

// allOfTheLog keeps every entry of the ledger.
const allOfTheLog = "all"

func (b *logSize) UnmarshalText(text []byte) error {
	if string(text) == allOfTheLog {
		*b = 0
		return nil
	}
	n, ok := parseSize(string(text))
	if !ok || n < store.LeastBudget {
		return fmt.Errorf("%.40q is no size of a ledger's log: expected all, or at least 8MiB, as a whole number with KiB, MiB, GiB or TiB", text)
	}
	*b = logSize(n)
	return nil
}

func parseSize(text string) (bytes uint64, ok bool) {
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, is := strings.CutSuffix(text, unit); is {
			n, err := strconv.ParseUint(number, 10, 20)
			return n << (10 * (i + 1)), err == nil
		}
	}
	return 0, false
}

func (d duration) String() string { return time.Duration(d).String() }

func (l *label) UnmarshalText(text []byte) error {
	if len(text) > 256 || strings.ContainsFunc(string(text), unicode.IsControl) || !utf8.Valid(text) {
		return fmt.Errorf("%.40q… is no name: expected a line of at most 256 bytes", text)
	}
	*l = label(text)
	return nil
}

func (g *geoHash) UnmarshalText(text []byte) error {
	if len(text) > 0 && !governance.IsGeoHash(string(text)) {
		return fmt.Errorf("%.40q is no GeoHash: expected 1 to 12 of 0-9 and b-z without i, l and o, for example u33db", text)
	}
	*g = geoHash(text)
	return nil
}

func (n *nearby) UnmarshalText(text []byte) error {
	if err := node.CheckNear(string(text)); err != nil {
		return fmt.Errorf("%.40q is no place with a distance: expected GEOHASH:KM, for example u33db:500", text)
	}
	*n = nearby(text)
	return nil
}

func (c *capability) UnmarshalText(text []byte) error {
	name := strings.TrimSpace(string(text))
	*c = capability(name)
	return without(capsule.ErrCapability, capsule.CheckCapability(name))
}

func (a *listenAddr) UnmarshalText(text []byte) error {
	addr := strings.TrimSpace(string(text))
	*a = listenAddr(addr)
	return without(mesh.ErrAddress, p2p.CheckListen(addr))
}

func (a *dialAddr) UnmarshalText(text []byte) error {
	addr := strings.TrimSpace(string(text))
	*a = dialAddr(addr)
	return without(mesh.ErrAddress, p2p.CheckAddr(addr))
}

func (p *peerID) UnmarshalText(text []byte) error {
	if _, err := identity.PeerID(text).PublicKey(); err != nil {
		return fmt.Errorf("%.80q is no peer id: expected one as inos id prints it, 12D3KooW…", text)
	}
	*p = peerID(text)
	return nil
}

func (l *ledgerID) UnmarshalText(text []byte) error {
	if _, err := identity.LedgerID(text).PublicKey(); err != nil {
		return fmt.Errorf("%.80q is no ledger id: expected one as inos id prints it, ledger:12D3KooW…", text)
	}
	*l = ledgerID(text)
	return nil
}

func (u *webURL) UnmarshalText(text []byte) error {
	at, err := url.Parse(string(text))
	if len(text) > 0 && (err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "") {
		return fmt.Errorf("%.80q is no URL: expected one like http://127.0.0.1:4318", text)
	}
	*u = webURL(text)
	return nil
}

func (a *tcpAddr) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%.80q is no address to serve on: expected HOST:PORT, for example 127.0.0.1:8080", text)
	}
	*a = tcpAddr(text)
	return nil
}

func (a *monitorAddr) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "none" {
		*a = ""
		return nil
	}
	return (*tcpAddr)(a).UnmarshalText(text)
}

// without is err less the text of kind, which the flag's name already says.
func without(kind, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), kind.Error()+": "))
}

// texts converts the values of a flag to texts.
func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}
