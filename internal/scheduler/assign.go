package scheduler

import (
	"cmp"
	"slices"
	"time"
)

// MaxBatch is the most jobs that Assign decides about in one call.
const MaxBatch = 64

// Assign decides about several jobs together and fills dst, which is as long as reqs, with their
// nodes. It returns how many jobs have a node. A Choice without a node means that no node is left
// for that job, or that its request is malformed. Requests beyond MaxBatch get no node.
//
// Assign gives a node to as many jobs as possible and prefers the earlier ones of reqs. Among such
// assignments it takes the one with the highest sum of scores. A node's second job counts with the
// score that the node has once it has the first, and so on. Assign sets nothing aside: Acquire
// does.
func (x *Index) Assign(reqs []Request, now time.Time, dst []Choice) int {
	clear(dst)
	reqs = reqs[:min(len(reqs), len(dst), MaxBatch)]
	a := assignment{seats: make(map[seatKey]int32)}
	top := make([]Choice, len(reqs))
	for i, r := range reqs {
		a.jobs = append(a.jobs, jobSeats{seat: -1})
		if j := slices.IndexFunc(reqs[:i], func(o Request) bool { return alike(o, r) }); j >= 0 {
			a.jobs[i].seats = a.jobs[j].seats
			continue
		}
		// A job never needs more than its best seats, as many as there are jobs, and those are on
		// its best nodes.
		k, err := x.TopK(r, now, top)
		if err != nil {
			continue
		}
		for _, c := range top[:k] {
			a.jobs[i].seats = append(a.jobs[i].seats, x.seatsOf(&a, c, len(reqs))...)
		}
	}
	a.solve()
	placed := 0
	for i, j := range a.jobs {
		if j.seat >= 0 {
			dst[i] = Choice{Node: a.list[j.seat].node, Score: a.list[j.seat].score}
			placed++
		}
	}
	return placed
}

// seat is one slot of a node.
type seat struct {
	node  Node
	score float64
	job   int32 // the job that has the seat, -1 for none
	fixed bool
	seen  int32 // the last search that visited the seat
}

type seatKey struct{ slot, nth int32 }

type jobSeats struct {
	seats []int32
	seat  int32 // the seat that the job has, -1 for none
}

// assignment is a bipartite graph of jobs and seats, and the matching so far. The value of an edge
// depends on the seat alone, so the sets of seats that can be matched together form a matroid
// (transversal; Edmonds and Fulkerson 1965), and taking seats by falling score is optimal.
type assignment struct {
	jobs   []jobSeats
	list   []seat
	seats  map[seatKey]int32
	takers [][]int32 // by seat: the jobs that can have it
	search int32
}

// seatsOf lists the free slots of c's node, at most n.
func (x *Index) seatsOf(a *assignment, c Choice, n int) []int32 {
	slot, _ := x.ids.find(x.nodes, c.Node.ID)
	node := c.Node
	n = min(int(min(node.FreeSlots, MaxBatch)), n)
	out := make([]int32, 0, n)
	score := c.Score
	for nth := range n {
		key := seatKey{slot, int32(nth)}
		i, ok := a.seats[key]
		if !ok {
			i = int32(len(a.list))
			a.seats[key] = i
			score = min(score, x.scoreAfter(c, nth))
			a.list = append(a.list, seat{node: node, score: score, job: -1})
		}
		out = append(out, i)
	}
	return out
}

// scoreAfter returns the score of c's node with n more leases held there.
func (x *Index) scoreAfter(c Choice, n int) float64 {
	if n == 0 {
		return c.Score
	}
	node := c.Node
	node.InFlight += uint32(n)
	node.FreeSlots -= uint32(n)
	if score := x.scoreOf(node); validScore(score) {
		return score
	}
	return c.Score
}

// solve first gives seats to as many jobs as can have one, then moves them to the best seats. The
// second step takes the seat of no job (Mendelsohn and Dulmage 1958: both are possible together).
func (a *assignment) solve() {
	for i := range a.jobs {
		a.search++
		a.seatJob(int32(i))
	}
	a.takers = make([][]int32, len(a.list))
	taken := 0
	for i, j := range a.jobs {
		if j.seat < 0 {
			continue
		}
		taken++
		for _, s := range j.seats {
			a.takers[s] = append(a.takers[s], int32(i))
		}
	}
	order := make([]int32, len(a.list))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(p, q int32) int { return cmp.Compare(a.list[q].score, a.list[p].score) })
	for _, s := range order {
		if taken == 0 {
			return
		}
		a.search++
		if a.list[s].job >= 0 || a.fill(s) {
			a.list[s].fixed = true
			taken--
		}
	}
}

// seatJob finds a seat for job j and moves other jobs to other seats where it must.
func (a *assignment) seatJob(j int32) bool {
	for _, s := range a.jobs[j].seats {
		seat := &a.list[s]
		if seat.seen == a.search {
			continue
		}
		seat.seen = a.search
		if seat.job < 0 || a.seatJob(seat.job) {
			seat.job, a.jobs[j].seat = j, s
			return true
		}
	}
	return false
}

// fill gives the empty seat s a job and then fills the seat that this job left, in turn, until a
// seat that is not fixed is left empty.
func (a *assignment) fill(s int32) bool {
	a.list[s].seen = a.search
	for _, j := range a.takers[s] {
		from := a.jobs[j].seat
		if a.list[from].seen == a.search {
			continue
		}
		a.list[from].seen = a.search
		if !a.list[from].fixed {
			a.list[from].job = -1
		} else if !a.fill(from) {
			continue
		}
		a.list[s].job, a.jobs[j].seat = j, s
		return true
	}
	return false
}
