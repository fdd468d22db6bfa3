package scheduler

// The prefix lengths under which nodes are listed by place. A request for a prefix
// of another length looks in the nearest shorter one.
const (
	regionLevel = 2 // some 1,000 km: a request for less looks at all nodes
	cellLevel   = 4 // some 40 km
)

// geo lists the nodes by place, so that a request for a small place looks at that
// place only. Regions hold many nodes and tell enough of each to pass most by; the
// geo within them are many and hold few. Members are unordered.
type geoIndex struct {
	regions []region // by regionOf; none as long as no node has a place
	at      map[geoCode][]int32
}

// listing is where a node is listed.
type listing struct{ region, cell int32 }

func newGeoIndex() *geoIndex { return &geoIndex{at: make(map[geoCode][]int32)} }

// region returns the members of the region that contains all of want, nil when there
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

// note brings what a region tells of a node up to date after a change of its score or
// its group.
func (c *geoIndex) note(r *record, d *detail, slot int32) {
	if r.geo.length() >= regionLevel {
		c.regions[regionOf(r.geo)][d.listed.region] = r.member(slot)
	}
}
