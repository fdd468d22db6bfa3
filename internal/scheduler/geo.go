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

// parseGeo packs s. It returns false when s is no geohash. The empty text is a geohash of length 0.
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

// prefix returns the first n characters of g, which must have that many.
func (g geoCode) prefix(n int) geoCode {
	return g&^(1<<(64-5*n)-1) | geoCode(n)
}

// within reports whether g lies in the cell that want names.
func (g geoCode) within(want geoCode) bool {
	n := want.length()
	return g.length() >= n && (g^want)>>(64-5*n) == 0
}
