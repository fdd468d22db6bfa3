package wazero_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// prose is a text of random words and white space of every kind.
func prose(seed uint64, words int) string {
	rng := rand.New(rand.NewPCG(seed, 1))
	spaces := []string{" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u0085", "\v\f"}
	letters := []rune("abcdeéßжあ🐱.,-")
	var b strings.Builder
	for range words {
		for range 1 + rng.IntN(3) {
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		b.WriteString(spaces[rng.IntN(len(spaces))])
	}
	return b.String()
}

// counted computes independently what the capsule wordcount returns.
func counted(text string) string {
	return fmt.Sprintf("lines %d\nwords %d\ncharacters %d\nbytes %d\n",
		strings.Count(text, "\n"), len(strings.Fields(text)), utf8.RuneCountInString(text), len(text))
}

func ranked(text string, most int) string {
	counts := map[string]int{}
	for _, w := range strings.Fields(text) {
		counts[w]++
	}
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	var b strings.Builder
	for _, w := range words[:min(most, len(words))] {
		fmt.Fprintln(&b, counts[w], w)
	}
	return b.String()
}

func TestWordcountAgreesWithGo(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "wordcount")), capsule.Config{})
	for _, words := range []int{0, 1, 10, 1000, 100_000} {
		text := prose(uint64(words), words)
		out, err := c.Run(t.Context(), capsule.Task{Input: []byte(text)}, nil)
		require.NoError(t, err)
		require.Equal(t, counted(text), string(out))
		out, err = c.Run(t.Context(), capsule.Task{Method: "top", Args: []string{"20"}, Input: []byte(text)}, nil)
		require.NoError(t, err)
		require.Equal(t, ranked(text, 20), string(out))
	}
	_, err := c.Run(t.Context(), capsule.Task{Input: []byte("a\xffb")}, nil)
	require.ErrorIs(t, err, capsule.ErrBadInput)
}

// A stream's frames are cut without regard to words and characters.
func TestWordcountOfAStream(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "wordcount")), capsule.Config{})
	text := prose(5, 50_000)
	rng := rand.New(rand.NewPCG(6, 7))
	for rest := []byte(text); len(rest) > 0; {
		n := min(len(rest), 1+rng.IntN(5000))
		require.NoError(t, c.Send(t.Context(), rest[:n]))
		rest = rest[n:]
	}
	out, err := c.Run(t.Context(), capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	require.Equal(t, counted(text), string(out))
}
