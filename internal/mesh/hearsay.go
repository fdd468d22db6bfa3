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

// Limits on texts of another node that people read, in bytes.
const (
	maxReason  = 64
	maxMessage = 1 << 10
	maxName    = 256
)

// Printable makes a text of another node safe to show anywhere, on a terminal too. It keeps the
// text within the first most bytes and puts a space for each character that is not printable.
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

// reason returns s when it has the form of a stable code, a word of lower-case letters, and
// ErrRemote's code otherwise. Heard knows which codes exist.
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

// Hearsay makes another node's report of how a job ended safe to show and count. It limits the
// reported times to passed, the time since the job was sent.
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

// HearReply does for the answer to a command what JobOutcome.Hearsay does for a job.
func HearReply(r *capsule.Reply) {
	r.Reason, r.Message = reason(r.Reason), Printable(r.Message, maxMessage)
	r.CapsuleID, r.SnapshotCID = Printable(r.CapsuleID, maxName), Printable(r.SnapshotCID, maxName)
}

// Hearsay does for the end of a stream what JobOutcome.Hearsay does for a job.
func (e *FeedEnd) Hearsay() {
	e.Reason, e.Message = reason(e.Reason), Printable(e.Message, maxMessage)
}
