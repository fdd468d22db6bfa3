package mesh

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"inos/internal/capsule"
	"inos/internal/trace"
)

// Bounds of what another node says for people to read, in bytes.
const (
	maxReason  = 64
	maxMessage = 1 << 10
	maxName    = 256
)

// Printable is what another node says as it may be shown anywhere, on a terminal too: of
// at most the first most bytes those that are text, with a space for each character that
// is not printed.
func Printable(s string, most int) string {
	s = s[:min(most, len(s))]
	fine := func(r rune) bool { return r != utf8.RuneError && (unicode.IsPrint(r) || r == ' ') }
	if strings.IndexFunc(s, func(r rune) bool { return !fine(r) }) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if fine(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}

// reason is a stable code as another node says it: a word of lower-case letters, or
// ErrRemote's. Heard says which words are known.
func reason(s string) string {
	if s == "" {
		return ""
	}
	bad := strings.IndexFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	if bad >= 0 || len(s) > maxReason {
		return ErrRemote.Code()
	}
	return s
}

// Hearsay makes what another node says of how a job ended fit to be shown and counted:
// it has taken no longer than what has passed here since it was sent.
func (o *JobOutcome) Hearsay(passed time.Duration) {
	if !o.Code.Known() {
		o.Message = fmt.Sprintf("%s: %s", o.Code, o.Message)
		o.Code = JobInternal
	}
	o.Reason, o.Message = reason(o.Reason), Printable(o.Message, maxMessage)
	o.JobID, o.OutputCID = Printable(o.JobID, maxName), Printable(o.OutputCID, maxName)
	o.Queued, o.Run = min(max(o.Queued, 0), passed), min(max(o.Run, 0), passed)
	for i := range o.Spans {
		hearSpan(&o.Spans[i])
	}
}

func hearSpan(s *trace.Span) {
	s.Name, s.Code = Printable(s.Name, maxReason), Printable(s.Code, maxReason)
	s.Duration = max(s.Duration, 0)
}

// HearReply is Hearsay for the answer to a command.
func HearReply(r *capsule.Reply) {
	r.Reason, r.Message = reason(r.Reason), Printable(r.Message, maxMessage)
	r.CapsuleID, r.SnapshotCID = Printable(r.CapsuleID, maxName), Printable(r.SnapshotCID, maxName)
}

// Hearsay is that of a JobOutcome for the end of a stream.
func (e *FeedEnd) Hearsay() {
	e.Reason, e.Message = reason(e.Reason), Printable(e.Message, maxMessage)
}
