//go:build js && browser

package sab_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/jsinterop"
	"inos/internal/wire"
)

// take pauses c, takes its image and ends c.
func take(t *testing.T, c *capsule.Capsule) []byte {
	t.Helper()
	r, err := c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	im, r, err := c.Snapshot(t.Context(), capsule.Command{ID: "s", Type: capsule.Snapshot})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	blob := im.Encode(true)
	t.Logf("a memory of %d bytes gives an image of %d", im.MemoryBytes, len(blob))
	c.Kill(errors.New("moved"))
	<-c.Done()
	return blob
}

func restore(t *testing.T, m capsule.Module, blob []byte) *capsule.Capsule {
	t.Helper()
	im, err := capsule.DecodeImage(blob, 1<<30)
	require.NoError(t, err)
	c, err := capsule.Restore(t.Context(), m, im, capsule.Config{ID: "restored", Codec: wire.Capsules{}})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Kill(errors.New("end of the test"))
		<-c.Done()
	})
	return c
}

// words is n words, no line longer than 70.
func words(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "word%d", i*i%9973)
		if i%8 == 7 {
			s.WriteByte('\n')
		} else {
			s.WriteByte(' ')
		}
	}
	return s.String()
}

// feed streams text in frames that cut it anywhere.
func feed(t *testing.T, c *capsule.Capsule, text string) {
	t.Helper()
	for len(text) > 0 {
		n := min(len(text), 1777)
		require.NoError(t, c.Send(t.Context(), []byte(text[:n])))
		text = text[n:]
	}
}

func total(t *testing.T, c *capsule.Capsule) string {
	t.Helper()
	out, err := c.Run(t.Context(), capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	return string(out)
}

// A text is counted by a capsule that moves from this Worker to a native node and
// back; one that stays is the judge.
func TestMigration(t *testing.T) {
	m, err := newRuntime(t).Compile(t.Context(), built("wordcount"))
	require.NoError(t, err)
	text := words(60_000)
	third := len(text)/3 + 3 // within a word
	judge := open(t, m, capsule.Config{ID: "judge"})
	feed(t, judge, text)
	want := total(t, judge)

	c := open(t, m, capsule.Config{})
	feed(t, c, text[:third])
	// Twice in this browser, so that a restored capsule can be copied too.
	c = restore(t, m, take(t, c))
	blob := native(t, take(t, c), text[third:2*third])
	c = restore(t, m, blob)
	feed(t, c, text[2*third:])
	require.Equal(t, want, total(t, c))
	require.Contains(t, want, "words 60000")
}

// native lets a node under wazero go on with the image and the text, and returns
// the image it took then.
func native(t *testing.T, blob []byte, text string) []byte {
	t.Helper()
	body := jsinterop.Uint8Array(slices.Concat(blob, []byte(text)))
	post := js.Global().Call("__post", fmt.Sprintf("/native?blob=%d", len(blob)), body)
	answer, err := jsinterop.Await(context.Background(), post, nil)
	require.NoError(t, err)
	image, _ := jsinterop.Bytes(answer.Get("body"))
	require.True(t, answer.Get("ok").Bool(), string(image))
	return image
}

func TestRestoreRefuses(t *testing.T) {
	rt := newRuntime(t)
	m, err := rt.Compile(t.Context(), built("wordcount"))
	require.NoError(t, err)
	blob := take(t, open(t, m, capsule.Config{}))
	im, err := capsule.DecodeImage(blob, 1<<30)
	require.NoError(t, err)
	_, err = capsule.Restore(t.Context(), hashModule(t, rt), im, capsule.Config{Codec: wire.Capsules{}})
	require.ErrorIs(t, err, capsule.ErrImage)
	im.Blocks = append(im.Blocks, capsule.Block{Index: 1 << 19, Bytes: make([]byte, capsule.ImageBlock)})
	_, err = capsule.Restore(t.Context(), m, im, capsule.Config{Codec: wire.Capsules{}})
	require.ErrorIs(t, err, capsule.ErrImage)
	_, err = capsule.DecodeImage(blob[:len(blob)/2], 1<<30)
	require.ErrorIs(t, err, capsule.ErrImage)
}
