// Package order sorts without a copy of the algorithm for each element type.
package order

import "sort"

// By sorts s by compare, as slices.SortStableFunc does, of which each element type takes 9 to
// 20 kB of kernel.wasm. It is slower: it swaps by reflection.
func By[T any](s []T, compare func(a, b T) int) {
	sort.SliceStable(s, func(i, j int) bool { return compare(s[i], s[j]) < 0 })
}
