package scheduler

// The prefix lengths by which the index lists nodes. A request for a prefix of another length
// searches the list of the nearest shorter one.
const (
	regionLevel = 2 // some 1,000 km: a request for a shorter prefix looks at all nodes
	cellLevel   = 4 // some 40 km
)

// geoIndex lists the nodes by place, so that a request for a small place searches that place only.
// Regions hold many nodes, with enough of each node to skip most of them. The cells within the
// regions are many and hold few nodes each. Members are unordered.
type geoIndex struct {
	regions []region // by regionOf; nil until some node has a place
	at      map[geoCode][]int32
}

// listing is the region and the cell that a node is listed in.
type listing struct{ region, cell int32 }

func newGeoIndex() *geoIndex { return &geoIndex{at: make(map[geoCode][]int32)} }

// region returns the members of the region that contains all of want, nil when there is none.
// are none.
func (c *geoIndex) region(want geoCode) region {
	if len(c.regions) == 0 {
		return nil
	}
	return c.regions[regionOf(want)]
}

func (c *geoIndex) add(r *record, details []detail, slot int32) {
	if r.geo.length() < regionLevel {
		return
	}
	if c.regions == nil {
		c.regions = make([]region, 1<<(5*regionLevel))
	}
	at := &details[slot].listed
	in := &c.regions[regionOf(r.geo)]
	at.region = int32(len(*in))
	*in = append(*in, r.member(slot))
	if r.geo.length() < cellLevel {
		return
	}
	key := r.geo.prefix(cellLevel)
	members := c.at[key]
	at.cell = int32(len(members))
	c.at[key] = append(members, slot)
}

func (c *geoIndex) remove(r *record, details []detail, slot int32) {
	if r.geo.length() < regionLevel {
		return
	}
	at := details[slot].listed
	in := &c.regions[regionOf(r.geo)]
	last := len(*in) - 1
	moved := (*in)[last]
	(*in)[at.region] = moved
	details[moved.slot].listed.region = at.region
	if *in = (*in)[:last]; last == 0 {
		*in = nil
	}
	if r.geo.length() < cellLevel {
		return
	}
	key := r.geo.prefix(cellLevel)
	members := c.at[key]
	last = len(members) - 1
	other := members[last]
	members[at.cell] = other
	details[other].listed.cell = at.cell
	if last == 0 {
		delete(c.at, key)
	} else {
		c.at[key] = members[:last]
	}
}

// note updates a region's copy of a node after a change of its score or its group.
func (c *geoIndex) note(r *record, d *detail, slot int32) {
	if r.geo.length() >= regionLevel {
		c.regions[regionOf(r.geo)][d.listed.region] = r.member(slot)
	}
}
