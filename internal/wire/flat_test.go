package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
	systemv1 "inos/schema/system/v1"
)

// The bytes are those that the library writes.
func TestFlatCommandIsTheLibrarysOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Just(strings.Repeat("x", 5000)))
		c := capsule.Command{ID: text.Draw(t, "id"), Target: text.Draw(t, "target"), Type: capsule.CommandType(rapid.IntRange(0, 5).Draw(t, "type"))}
		if rapid.Bool().Draw(t, "timed") {
			c.Timestamp = time.Unix(0, rapid.Int64Range(1, 1<<62).Draw(t, "at"))
			c.Deadline = c.Timestamp.Add(time.Second)
		}
		params := rapid.SliceOf(rapid.Byte()).Draw(t, "params")
		if len(params) == 0 {
			params = nil // as encodeParams leaves it
		}
		want, err := build(systemv1.NewRootLifecycleCmd, func(s systemv1.LifecycleCmd, p *put) {
			p.do(s.SetId(c.ID))
			s.SetType(systemv1.CommandType(c.Type))
			p.do(s.SetTargetCapsuleId(c.Target))
			p.do(s.SetParams(params))
			s.SetTimestamp(nanos(c.Timestamp))
			s.SetDeadline(nanos(c.Deadline))
		})
		require.NoError(t, err)
		require.Equal(t, want, flatCommand(c, params))
	})
}
