// Package vivaldi keeps a node's network coordinate: a point whose distance to another node's point
// estimates the round trip between the two, even if they have never met. It is the algorithm of
// Dabek, Cox, Kaashoek and Morris ("Vivaldi: a decentralized network coordinate system", SIGCOMM
// 2004) with height vectors and the adaptive timestep. It does no I/O; the kernel passes it its
// measurements.
package vivaldi

import (
	"math"
	"math/rand/v2"
	"time"
)

// Dimensions is the number of dimensions of a point, besides its height.
const Dimensions = 4

// The constants of the paper, and limits on accepted values.
const (
	pull        = 0.25 // cc: how far one sample moves the node, at most
	learn       = 0.25 // ce: how fast the error follows
	startError  = 1.0
	maxError    = 1.5
	minHeight   = 10e-6 // seconds
	maxRTT      = 10 * time.Second
	maxDistance = 100.0 // seconds, of a point from the origin
)

// Point is a coordinate in seconds. Height is the delay between the node and the network, part of
// every round trip. Error is the relative error of estimates with this point: near 0 they are
// accurate, at 1 and above they mean nothing.
type Point struct {
	Vec    []float64 // of length Dimensions
	Height float64
	Error  float64
}

// Valid reports whether p is a point of this space with possible figures.
func (p Point) Valid() bool {
	if len(p.Vec) != Dimensions {
		return false
	}
	for _, v := range append([]float64{p.Height, p.Error}, p.Vec...) {
		if math.IsNaN(v) || math.Abs(v) > maxDistance {
			return false
		}
	}
	return p.Height >= 0 && p.Error >= 0
}

// Estimate returns the round trip between nodes at a and b, which must be valid.
func Estimate(a, b Point) time.Duration {
	flat := 0.0
	for i := range a.Vec {
		d := a.Vec[i] - b.Vec[i]
		flat += d * d
	}
	return time.Duration((math.Sqrt(flat) + a.Height + b.Height) * float64(time.Second))
}

// Node is one node's coordinate. Not safe for concurrent use.
type Node struct {
	at  Point
	rng *rand.Rand
}

// New returns a Node at the origin with the greatest error. The seed separates nodes that are at
// the same point.
func New(seed uint64) *Node {
	return &Node{
		at:  Point{Vec: make([]float64, Dimensions), Height: minHeight, Error: startError},
		rng: rand.New(rand.NewPCG(seed, 0x76697661)),
	}
}

// Point returns a copy of the coordinate.
func (n *Node) Point() Point {
	p := n.at
	p.Vec = append([]float64(nil), p.Vec...)
	return p
}

// Update applies a measured round trip to a node at peer and reports whether it could be used: an
// invalid point or time changes nothing. A peer that lies moves this node by at most a part of one
// sample. The move is smaller the lower this node's error and the higher the peer's.
func (n *Node) Update(peer Point, rtt time.Duration) bool {
	if rtt <= 0 || rtt > maxRTT || !peer.Valid() {
		return false
	}
	seen := rtt.Seconds()
	expected := Estimate(n.at, peer).Seconds()
	weight := n.at.Error / max(n.at.Error+peer.Error, 1e-9)
	off := math.Abs(expected-seen) / seen
	n.at.Error = min(off*learn*weight+n.at.Error*(1-learn*weight), maxError)

	force := pull * weight * (seen - expected)
	direction, length := n.away(peer)
	for i := range n.at.Vec {
		n.at.Vec[i] = clamp(n.at.Vec[i]+direction[i]*force, maxDistance)
	}
	heights := n.at.Height + peer.Height
	if length+heights > 0 {
		n.at.Height = min(max(n.at.Height+force*heights/(length+heights), minHeight), maxDistance)
	}
	return true
}

// away returns the unit vector from peer to the node and their distance without heights. The
// direction is random when they are at the same place.
func (n *Node) away(peer Point) (unit [Dimensions]float64, length float64) {
	for i := range unit {
		unit[i] = n.at.Vec[i] - peer.Vec[i]
		length += unit[i] * unit[i]
	}
	if length = math.Sqrt(length); length < 1e-9 {
		norm := 0.0
		for i := range unit {
			unit[i] = n.rng.NormFloat64()
			norm += unit[i] * unit[i]
		}
		for i := range unit {
			unit[i] /= math.Sqrt(norm)
		}
		return unit, 0
	}
	for i := range unit {
		unit[i] /= length
	}
	return unit, length
}

func clamp(v, limit float64) float64 { return min(max(v, -limit), limit) }
