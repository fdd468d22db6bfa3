package scheduler

// geoCode is a geohash packed for comparison: its characters, five bits each,
// from the top bit down, and its length in the lowest four bits.
type geoCode uint64

// geoDigit maps geohash's base32 alphabet to its values; 0xff is no digit.
var geoDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("0123456789bcdefghjkmnpqrstuvwxyz") {
		t[c] = byte(i)
	}
	return t
}()

// parseGeo packs s; false when s is no geohash. The empty text is one of
// length 0.
func parseGeo(s string) (geoCode, bool) {
	if len(s) > MaxGeoHash {
		return 0, false
	}
	var g geoCode
	for i := 0; i < len(s); i++ {
		d := geoDigit[s[i]]
		if d == 0xff {
			return 0, false
		}
		g |= geoCode(d) << (59 - 5*i)
	}
	return g | geoCode(len(s)), true
}

func (g geoCode) length() int { return int(g & 15) }

// prefix is g cut to its first n characters; g must have that many.
func (g geoCode) prefix(n int) geoCode {
	return g&^(1<<(64-5*n)-1) | geoCode(n)
}

// within reports whether g lies in the cell that want names.
func (g geoCode) within(want geoCode) bool {
	n := want.length()
	return g.length() >= n && (g^want)>>(64-5*n) == 0
}

// cellLevels are the prefix lengths under which nodes are listed by place. A
// request for a longer prefix looks in the nearest shorter cell. A level costs
// some 50 bytes a node where nodes are far apart, so there are but two.
var cellLevels = [...]int{2, 4}

// cells lists the nodes of every geohash cell, so that a request for a small
// place looks at that place only. Members are unordered.
type cells struct {
	at [len(cellLevels)]map[geoCode][]int32
}

func newCells() *cells {
	c := &cells{}
	for i := range c.at {
		c.at[i] = make(map[geoCode][]int32)
	}
	return c
}

// lookup returns the members of the smallest listed cell that contains all of
// want, and false when want is too coarse to have one.
func (c *cells) lookup(want geoCode) ([]int32, bool) {
	for i := len(cellLevels) - 1; i >= 0; i-- {
		if n := cellLevels[i]; want.length() >= n {
			return c.at[i][want.prefix(n)], true
		}
	}
	return nil, false
}

func (c *cells) add(r *record, details []detail, slot int32) {
	for i, n := range cellLevels {
		if r.geo.length() < n {
			return
		}
		key := r.geo.prefix(n)
		members := c.at[i][key]
		details[slot].cell[i] = int32(len(members))
		c.at[i][key] = append(members, slot)
	}
}

func (c *cells) remove(r *record, details []detail, slot int32) {
	for i, n := range cellLevels {
		if r.geo.length() < n {
			return
		}
		key := r.geo.prefix(n)
		members := c.at[i][key]
		last := len(members) - 1
		moved := members[last]
		members[details[slot].cell[i]] = moved
		details[moved].cell[i] = details[slot].cell[i]
		if last == 0 {
			delete(c.at[i], key)
		} else {
			c.at[i][key] = members[:last]
		}
	}
}
