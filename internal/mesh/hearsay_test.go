package mesh

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func FuzzPrintable(f *testing.F) {
	f.Add("plain", 10)
	f.Add("\x1b[31mred\x07\r\n\u202e\u0085\xff", 100)
	f.Add(strings.Repeat("é", 100), 99)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = min(max(most, 0), 1<<12)
		got := Printable(s, most)
		require.LessOrEqual(t, len(got), most)
		require.True(t, utf8.ValidString(got))
		for _, r := range got {
			require.True(t, unicode.IsPrint(r), "%q", got)
		}
		require.Equal(t, got, Printable(got, most))
	})
}

// Whatever a node says of itself, its streams and its capsules can be shown.
func TestHearsayIsPrintable(t *testing.T) {
	const bad = "\x1b[2Ja\nb\u202e"
	e := FeedEnd{Reason: bad, Message: bad}
	e.Hearsay()
	require.Equal(t, FeedEnd{Reason: ErrRemote.Code(), Message: " [2Ja b "}, e)
	r := capsule.Reply{Reason: "capsule_killed", Message: bad, CapsuleID: bad, SnapshotCID: bad}
	HearReply(&r)
	require.Equal(t, capsule.Reply{Reason: "capsule_killed", Message: " [2Ja b ", CapsuleID: " [2Ja b ", SnapshotCID: " [2Ja b "}, r)
	now := time.Now()
	p, err := Profile{Peer: "p", Name: bad, Kind: bad, Issued: now, Expires: now.Add(time.Minute)}.Heard(Source{Direct: true}, now)
	require.NoError(t, err)
	require.Equal(t, " [2Ja b ", p.Name)
	require.Equal(t, " [2Ja b ", p.Kind)
}
