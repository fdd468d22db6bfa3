package scheduler

// A hash of job and node decides between equal scores. Plain rendezvous hashing (Thaler and
// Ravishankar 1996) takes the highest hash(job, node) among all tied nodes and looks at every one
// of them, and a uniform mesh has ties of a hundred thousand nodes. So tied nodes lie on a ring by
// their own hash; the job's hash is a point on it, and rendezvous hashing decides among the
// tieWindow nodes that follow. Up to tieWindow nodes this is rendezvous hashing itself; beyond, a
// node's share differs from fair by a factor of about 1 +- 1/sqrt(tieWindow). A node that joins or
// leaves moves only the jobs whose window it is in.
const tieWindow = 32

// hashText hashes s. The result is the same on every machine, and in every release that is to
// choose alike. It does not resist adversaries: a node that searches for a favourable id wins ties
// only.
func hashText[T ~string](s T) uint64 {
	h := uint64(len(s)) * 0x9e3779b97f4a7c15
	for len(s) >= 8 {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = mix(h ^ v)
		s = s[8:]
	}
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rendezvous returns the weight of a node for a job, from their hashes.
func rendezvous(job, node uint64) uint64 { return mix(job ^ mix(node)) }

// ringDistance returns how far node lies behind job on the ring.
func ringDistance(job, node uint64) uint64 { return node - job }

// window collects the tied nodes nearest to the job on the ring.
type window struct {
	n    int
	dist [tieWindow]uint64
	slot [tieWindow]int32
}

// add offers a node and reports whether the window took it. Nodes at the same
// distance keep the order of their ids.
func (w *window) add(nodes []record, dist uint64, slot int32) bool {
	i := w.n
	for i > 0 && (dist < w.dist[i-1] || dist == w.dist[i-1] && nodes[slot].id < nodes[w.slot[i-1]].id) {
		i--
	}
	if i == tieWindow {
		return false
	}
	if w.n < tieWindow {
		w.n++
	}
	copy(w.dist[i+1:w.n], w.dist[i:w.n-1])
	copy(w.slot[i+1:w.n], w.slot[i:w.n-1])
	w.dist[i], w.slot[i] = dist, slot
	return true
}

// takes reports whether add could take a node at this distance.
func (w *window) takes(dist uint64) bool { return w.n < tieWindow || dist <= w.dist[tieWindow-1] }

// winner returns the node of the window with the highest weight for job.
func (w *window) winner(nodes []record, job uint64) int32 {
	best, weight := w.slot[0], rendezvous(job, nodes[w.slot[0]].hash)
	for _, slot := range w.slot[1:w.n] {
		v := rendezvous(job, nodes[slot].hash)
		if v > weight || v == weight && nodes[slot].id < nodes[best].id {
			best, weight = slot, v
		}
	}
	return best
}

// drop removes slot from the window.
func (w *window) drop(slot int32) {
	for i := range w.slot[:w.n] {
		if w.slot[i] == slot {
			copy(w.dist[i:w.n-1], w.dist[i+1:w.n])
			copy(w.slot[i:w.n-1], w.slot[i+1:w.n])
			w.n--
			return
		}
	}
}
