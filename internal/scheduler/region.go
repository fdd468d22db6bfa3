package scheduler

import "math"

// region lists the nodes of a geohash prefix of regionLevel characters.
type region []member

// member is a region's copy of a node: enough to skip most of them in the order of memory. A search
// reads the records, which lie anywhere, only of those that may be the best.
type member struct {
	score uint32 // float32 bits, rounded up
	geo   uint32 // regionTail
	group int32
	slot  int32
}

func (r *record) member(slot int32) member {
	return member{ceil32(r.score), r.geo.regionTail(), r.group, slot}
}

// regionOf returns the number of g's region. g must be at least as long as a region's prefix.
func regionOf(g geoCode) int { return int(g >> (64 - 5*regionLevel)) }

// tailChars is how many characters of a geohash, after those of its region, a member keeps.
const tailChars = 6

// regionTail returns those characters; missing ones are 0.
func (g geoCode) regionTail() uint32 {
	return uint32(g>>(64-5*(regionLevel+tailChars))) & (1<<(5*tailChars) - 1)
}

// regionTailMask covers the characters that g has.
func (g geoCode) regionTailMask() uint32 {
	n := min(max(g.length()-regionLevel, 0), tailChars)
	return (1<<(5*n) - 1) << (5 * (tailChars - n))
}

// ceil32 returns the bits of the next float32 at or above s, floor32 of the next one at or below. s
// is not negative: such floats compare like the integers that their bits are.
func ceil32(s float64) uint32 {
	f := float32(s)
	if float64(f) < s {
		f = math.Nextafter32(f, math.MaxFloat32)
	}
	return math.Float32bits(f)
}

func floor32(s float64) uint32 {
	f := float32(s)
	if float64(f) > s {
		f = math.Nextafter32(f, 0)
	}
	return math.Float32bits(f)
}

// searchRegion offers the members that meet every requirement.
func (x *Index) searchRegion(s *partition, members region) {
	q := &x.q
	tail, mask := q.geo.regionTail(), q.geo.regionTailMask()
	least := q.best.floor32()
	for i := range members {
		m := &members[i]
		if m.score < least || (m.geo^tail)&mask != 0 || x.caps.groups[m.group].mask&q.mask != q.mask {
			continue
		}
		x.consider(s, m.slot)
		least = q.best.floor32()
	}
}

func (s score64) floor32() uint32 { return floor32(math.Float64frombits(uint64(s))) }
