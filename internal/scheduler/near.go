package scheduler

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/geohash"
)

// Near makes distance a term of the score. It multiplies the score of another Scorer by
//
//	half / (half + distance)
//
// so that a node at the distance half scores half as much as one at the centre. It is optional: the
// default score uses places only as a hard requirement.
type Near struct {
	base     Scorer
	lat, lng float64 // radians
	half     float64 // km
}

const (
	earthRadius = 6371.0 // km, mean
	// farthest is the distance of a node without a place: half the circumference of the earth.
	farthest = math.Pi * earthRadius
)

// NewNear measures from the centre of the geohash cell here; half is in km. A nil base means
// Formula. Errors match ErrGeoHash, or ErrScore when half is not a number above zero.
func NewNear(base Scorer, here string, half float64) (Near, error) {
	if _, ok := parseGeo(here); !ok || here == "" {
		return Near{}, fmt.Errorf("%w: %.20q", ErrGeoHash, here)
	}
	if !validScore(half) {
		return Near{}, fmt.Errorf("%w: half at %v km", ErrScore, half)
	}
	if base == nil {
		base = Formula{}
	}
	lat, lng := geohash.DecodeCenter(here)
	return Near{base, radians(lat), radians(lng), half}, nil
}

// Score implements Scorer.
func (s Near) Score(n Node) float64 { return s.base.Score(n) * s.factor(n) }

// Parts implements Scorer.
func (s Near) Parts(n Node) []Part {
	return append(s.base.Parts(n), Part{fmt.Sprintf("%g/(%g+km)", s.half, s.half), s.factor(n)})
}

func (s Near) factor(n Node) float64 { return s.half / (s.half + s.distance(n)) }

// distance returns the great-circle distance to n in km (haversine formula).
func (s Near) distance(n Node) float64 {
	if _, ok := parseGeo(n.GeoHash); !ok || n.GeoHash == "" {
		return farthest
	}
	lat, lng := geohash.DecodeCenter(n.GeoHash)
	lat, lng = radians(lat), radians(lng)
	a := sinSquared((lat-s.lat)/2) + math.Cos(lat)*math.Cos(s.lat)*sinSquared((lng-s.lng)/2)
	return 2 * earthRadius * math.Asin(math.Sqrt(min(a, 1)))
}

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }

func sinSquared(x float64) float64 { return math.Sin(x) * math.Sin(x) }
