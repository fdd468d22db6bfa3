package scheduler

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A bound that is on the wrong side would hide the best node.
func TestBoundsOfScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.Float64Min(0), rapid.SampledFrom([]float64{0, math.SmallestNonzeroFloat64,
			math.MaxFloat32, 2 * math.MaxFloat32, math.MaxFloat64, 1, 1 + 1e-12})).Draw(t, "score")
		up, down := math.Float32frombits(ceil32(s)), math.Float32frombits(floor32(s))
		require.GreaterOrEqual(t, float64(up), s)
		require.LessOrEqual(t, float64(down), s)
		if float64(up) != s {
			require.Equal(t, up, math.Nextafter32(down, float32(math.Inf(1))), "the nearest ones")
		}
	})
}

func TestRegionTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chars := rapid.StringOfN(rapid.RuneFrom([]rune("0b9z")), 2, MaxGeoHash, -1)
		node, _ := parseGeo(chars.Draw(t, "node"))
		want, _ := parseGeo(rapid.OneOf(chars, rapid.Just("0b")).Draw(t, "want"))
		if node.within(want) {
			require.Zero(t, (node.regionTail()^want.regionTail())&want.regionTailMask(), "none that lies there is passed by")
		}
		if want.length() <= regionLevel+tailChars && node.length() >= want.length() && regionOf(node) == regionOf(want) {
			require.Equal(t, node.within(want), (node.regionTail()^want.regionTail())&want.regionTailMask() == 0)
		}
	})
}
