package node

import (
	"fmt"
	"strconv"
	"strings"

	"inos/internal/scheduler"
)

// scorer ranks nodes: by the default score and, when near is "GEOHASH:KM", also by distance: a node
// KM away from GEOHASH scores half.
func scorer(near string) (scheduler.Scorer, error) {
	if near == "" {
		return nil, nil
	}
	here, km, _ := strings.Cut(near, ":")
	half, err := strconv.ParseFloat(km, 64)
	if err != nil {
		return nil, fmt.Errorf("node: near: want GEOHASH:KM, for example u33db:500, not %.40q", near)
	}
	s, err := scheduler.NewNear(nil, here, half)
	if err != nil {
		return nil, fmt.Errorf("node: near: %w", err)
	}
	return s, nil
}

// CheckNear reports whether near has the form of Config.Near.
func CheckNear(near string) error {
	_, err := scorer(near)
	return err
}
