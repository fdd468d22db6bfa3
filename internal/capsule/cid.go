package capsule

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"inos/internal/fault"
)

// CID addresses bytes by their SHA-256: a CIDv1 with the raw codec, in text a
// lower-case base32 multibase (github.com/multiformats/cid). It is comparable;
// the zero value addresses nothing.
type CID struct{ digest [sha256.Size]byte }

// ErrCID: the text is no CIDv1 of raw bytes under SHA-256. Advice: give the CID that `inos.publish` or `inos
// capsule` printed.
var ErrCID = fault.Final("bad_cid", "capsule: not a CIDv1 (raw, sha2-256)")

// cidHeader is version 1, codec raw, multihash sha2-256, length 32.
var cidHeader = [4]byte{0x01, 0x55, 0x12, sha256.Size}

var cidText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// SumCID addresses b.
func SumCID(b []byte) CID { return CID{digest: sha256.Sum256(b)} }

// CIDOf wraps a SHA-256 digest.
func CIDOf(digest [sha256.Size]byte) CID { return CID{digest: digest} }

// Digest is the SHA-256 inside.
func (c CID) Digest() [sha256.Size]byte { return c.digest }

// IsZero reports whether c addresses nothing.
func (c CID) IsZero() bool { return c == CID{} }

func (c CID) String() string {
	if c.IsZero() {
		return ""
	}
	return "b" + cidText.EncodeToString(append(cidHeader[:], c.digest[:]...))
}

// ParseCID reads the text form. Errors match ErrCID.
func ParseCID(s string) (CID, error) {
	rest, ok := strings.CutPrefix(s, "b")
	if !ok || len(rest) != cidText.EncodedLen(len(cidHeader)+sha256.Size) {
		return CID{}, fmt.Errorf("%w: %.80q", ErrCID, s)
	}
	raw, err := cidText.DecodeString(rest)
	if err != nil || len(raw) != len(cidHeader)+sha256.Size || [4]byte(raw[:4]) != cidHeader {
		return CID{}, fmt.Errorf("%w: %.80q", ErrCID, s)
	}
	c := CID{digest: [sha256.Size]byte(raw[4:])}
	if c.String() != s { // the last digit has bits to spare: one CID has one text
		return CID{}, fmt.Errorf("%w: %.80q", ErrCID, s)
	}
	return c, nil
}
