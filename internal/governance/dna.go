package governance

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Limits of the DNA's fields, in bytes. traceState has the W3C's own minimum
// that every propagator must carry.
const (
	maxIDField    = 256
	maxAuthToken  = 4096
	maxTraceState = 512
	maxArgs       = 64
	maxArgBytes   = 16 << 10
	maxListItems  = 64
	maxGeoPrefix  = 12

	maxLedgerID = len(identity.LedgerPrefix) + 52 // base58 digits of the peer id
)

// uuidv7 parses the text form of a UUIDv7 (RFC 9562, section 5.7), in lower or upper case. It
// accepts none of the other forms that uuid.Parse does.
func uuidv7(s string) (id uuid.UUID, ok bool) {
	if len(s) != len("01935c2e-7d1a-7c3b-8f00-0123456789ab") {
		return id, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil && id.Version() == 7 && id.Variant() == uuid.RFC4122
}

// validType accepts "service:action:vN": two words of a-z, 0-9, '.', '_' and
// '-', each up to 64 bytes, and a version from 1 to 9999.
func validType(s string) bool {
	service, rest, ok := strings.Cut(s, ":")
	if !ok {
		return false
	}
	action, version, ok := strings.Cut(rest, ":")
	if !ok || !word(service) || !word(action) {
		return false
	}
	if len(version) < 2 || len(version) > 5 || version[0] != 'v' || version[1] == '0' {
		return false
	}
	for i := 1; i < len(version); i++ {
		if version[i] < '0' || version[i] > '9' {
			return false
		}
	}
	return true
}

func word(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// validTraceParent follows W3C Trace Context level 1: version, 16-byte trace id,
// 8-byte parent id, flags; ids of all zeros and version ff are invalid; a newer
// version may be longer.
func validTraceParent(s string) bool {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	if (len(s) > 55 && (s[:2] == "00" || s[55] != '-')) || s[:2] == "ff" {
		return false
	}
	return lowerHex(s[:2]) && lowerHex(s[53:55]) && lowerHex(s[3:35]) && lowerHex(s[36:52]) &&
		strings.Trim(s[3:35], "0") != "" && strings.Trim(s[36:52], "0") != ""
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ledgerShape is the cheap part of the check of a ledger id: prefix, length and alphabet. It
// allocates nothing. LedgerID.PublicKey checks the key inside.
func ledgerShape(s string) bool {
	rest, ok := strings.CutPrefix(s, identity.LedgerPrefix)
	if !ok || len(rest) < 40 || len(s) > maxLedgerID {
		return false
	}
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c <= '0' || c > 'z' || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || c == 'O' || c == 'I' || c == 'l' {
			return false
		}
	}
	return true
}

// checkEnvelope is the part of the DNA check that jobs and messages share. It allocates only to
// name a field.
func (r *ruleset) checkEnvelope(env *Envelope, now time.Time) (uuid.UUID, *Rejection) {
	id, ok := uuidv7(env.ID)
	if !ok {
		return id, r.fixed(ErrIDMalformed)
	}
	if !validType(env.Type) {
		return id, r.fixed(ErrTypeMalformed)
	}
	m := &env.Metadata
	if len(m.ModuleID) > maxIDField || len(m.UserID) > maxIDField || len(m.DeviceID) > maxIDField ||
		len(m.AuthToken) > maxAuthToken || len(m.TraceState) > maxTraceState || len(m.TraceParent) > maxIDField {
		return id, r.longMetadata(m)
	}
	if m.TraceParent != "" && !validTraceParent(m.TraceParent) {
		return id, r.fixed(ErrTraceMalformed)
	}
	return id, r.checkTime(env.Timestamp.Sub(now))
}

// checkTime checks how far ahead a timestamp is.
func (r *ruleset) checkTime(ahead time.Duration) *Rejection {
	if ahead > r.policy.MaxSkew || ahead < -r.policy.MaxAge {
		return r.fixed(ErrTimestampSkew)
	}
	return nil
}

// checkRequired checks that the metadata that the policy requires is present.
func (r *ruleset) checkRequired(env *Envelope) *Rejection {
	for _, f := range r.policy.Require {
		if f.of(env) == "" {
			return reject(ErrMetadataMissing, r.policy.Version, f.String())
		}
	}
	return nil
}

// checkPresent is checkRequired on a mask with a bit for each field present.
func (r *ruleset) checkPresent(mask uint8) *Rejection {
	for _, f := range r.policy.Require {
		if mask&(1<<f) == 0 {
			return reject(ErrMetadataMissing, r.policy.Version, f.String())
		}
	}
	return nil
}

// checkJob checks the job's own fields. known is the parsed form of the text knownAs, reused
// when the job has its envelope's id, as most do.
func (r *ruleset) checkJob(job *Job, known uuid.UUID, knownAs string, now time.Time) (uuid.UUID, *Rejection) {
	id, ok := known, true
	if job.ID != knownAs {
		id, ok = uuidv7(job.ID)
	}
	if !ok {
		return id, r.fixed(ErrIDMalformed)
	}
	return id, r.checkBounds(job, now)
}

func (r *ruleset) checkBounds(job *Job, now time.Time) *Rejection {
	if job.Capsule == "" {
		return reject(ErrJobMalformed, r.policy.Version, "capsule")
	}
	if rej := r.checkLengths(job); rej != nil {
		return rej
	}
	if err := capsule.CheckCapabilities(job.Requirements.Capabilities); err != nil {
		return reject(ErrJobMalformed, r.policy.Version, err.Error())
	}
	if n := job.ReplicasOrOne(); n > MaxReplicas || job.AgreeOrMajority() > n || 2*job.AgreeOrMajority() <= n {
		return reject(ErrJobMalformed, r.policy.Version, "replicas")
	}
	if !job.Deadline.IsZero() && !job.Deadline.After(now) {
		return r.fixed(ErrDeadlinePassed)
	}
	return nil
}
