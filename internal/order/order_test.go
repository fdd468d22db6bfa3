package order_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"inos/internal/order"
)

func TestBy(t *testing.T) {
	type pair struct{ key, at int }
	rapid.Check(t, func(t *rapid.T) {
		var have []pair
		for i, key := range rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "keys") {
			have = append(have, pair{key, i})
		}
		byKey := func(a, b pair) int { return cmp.Compare(a.key, b.key) }
		want := slices.Clone(have)
		slices.SortStableFunc(want, byKey)
		order.By(have, byKey)
		if !slices.Equal(have, want) {
			t.Fatalf("%v, not %v", have, want)
		}
	})
}
