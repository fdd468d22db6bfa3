package sim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"inos/internal/identity"
	"inos/internal/scheduler"
)

// Policy makes one chooser for each kernel.
type Policy struct {
	Name string
	New  func(kernel int, hosts []*host, rng *rand.Rand) chooser
}

// chooser is a policy at work in one kernel. It receives the same reports as that kernel.
type chooser interface {
	// choose returns a node, or false when the job is to wait for a report.
	choose(job int, now time.Duration) (int, bool)
	// queues reports whether a job may wait in line on its node. If not, a node without a free slot
	// refuses the job.
	queues() bool
	ended(host int, ran, now time.Duration)
	refused(host int, now time.Duration)
	report(host, free, queue int, seq uint64, now time.Duration)
}

// Policies returns the policies compared: the plain formula of the kernel's design, the scheduler,
// the scheduler without the expected waiting time, the classics, whose jobs queue on their nodes,
// and the classics with late binding.
func Policies() []Policy {
	return append([]Policy{
		{"plain formula", func(k int, h []*host, _ *rand.Rand) chooser { return &plain{news: newNews(k, h)} }},
		{"INOS", func(k int, h []*host, _ *rand.Rand) chooser { return newIndexed(k, h, nil) }},
		{"INOS, slots only", func(k int, h []*host, _ *rand.Rand) chooser { return newIndexed(k, h, noWait{}) }},
		{"random", func(k int, h []*host, rng *rand.Rand) chooser { return &random{newNews(k, h), rng} }},
		{"round-robin", func(k int, h []*host, rng *rand.Rand) chooser { return &robin{newNews(k, h), rng.IntN(len(h))} }},
		{"two choices", func(k int, h []*host, rng *rand.Rand) chooser { return &two{newNews(k, h), rng} }},
		{"shortest queue", func(k int, h []*host, rng *rand.Rand) chooser { return &shortest{newNews(k, h), rng} }},
	}, lateBound()...)
}

// news is what a kernel knows of the nodes: the last report of each and its own
// jobs there.
type news struct {
	kernel int
	hosts  []*host
	free   []int
	load   []int // busy slots and queue of the last report
	own    []int // jobs sent since the report and not ended
}

func newNews(kernel int, hosts []*host) *news {
	n := &news{kernel: kernel, hosts: hosts, free: make([]int, len(hosts)), load: make([]int, len(hosts)), own: make([]int, len(hosts))}
	for i, h := range hosts {
		n.free[i] = h.slots
	}
	return n
}

func (n *news) queues() bool                       { return true }
func (n *news) refused(int, time.Duration)         {}
func (n *news) ended(host int, _, _ time.Duration) { n.own[host] = max(n.own[host]-1, 0) }
func (n *news) sent(host int) (int, bool)          { n.own[host]++; return host, true }
func (n *news) report(host, free, queue int, _ uint64, _ time.Duration) {
	n.free[host], n.load[host], n.own[host] = free, n.hosts[host].slots-free+queue, 0
}

// length returns the queue per slot that a job would join.
func (n *news) length(host int) float64 {
	return float64(n.load[host]+n.own[host]) / float64(n.hosts[host].slots)
}

// plain chooses the highest score among the nodes that reported a free slot, or among all when none
// has.
type plain struct{ *news }

func (p *plain) choose(int, time.Duration) (int, bool) {
	best, any, top, score := -1, 0, 0.0, 0.0
	for i, h := range p.hosts {
		s := scheduler.Formula{}.Score(scheduler.Node{Latency: h.latency[p.kernel], CreditCost: h.cost})
		if s > top {
			any, top = i, s
		}
		if p.free[i] > 0 && s > score {
			best, score = i, s
		}
	}
	if best < 0 {
		best = any
	}
	return p.sent(best)
}

type random struct {
	*news
	rng *rand.Rand
}

func (p *random) choose(int, time.Duration) (int, bool) { return p.sent(p.rng.IntN(len(p.hosts))) }

type robin struct {
	*news
	next int
}

func (p *robin) choose(int, time.Duration) (int, bool) {
	p.next = (p.next + 1) % len(p.hosts)
	return p.sent(p.next)
}

// two chooses the shorter queue of two random nodes (Mitzenmacher 2001).
type two struct {
	*news
	rng *rand.Rand
}

func (p *two) choose(int, time.Duration) (int, bool) {
	a, b := p.rng.IntN(len(p.hosts)), p.rng.IntN(len(p.hosts))
	if p.length(b) < p.length(a) {
		a = b
	}
	return p.sent(a)
}

// shortest chooses the shortest queue of all, and a random one of equals.
type shortest struct {
	*news
	rng *rand.Rand
}

func (p *shortest) choose(int, time.Duration) (int, bool) {
	best, alike := 0, 1
	for i := 1; i < len(p.hosts); i++ {
		switch a, b := p.length(i), p.length(best); {
		case a < b:
			best, alike = i, 1
		case a == b:
			if alike++; p.rng.IntN(alike) == 0 {
				best = i
			}
		}
	}
	return p.sent(best)
}

// indexed is the scheduler itself, called as the kernel calls it: each job sent has a lease, a node
// that refuses counts as full, and a job for which no slot is known waits in its kernel.
type indexed struct {
	kernel int
	hosts  []*host
	index  *scheduler.Index
	number map[identity.PeerID]int
	leases [][]scheduler.Lease
}

// noWait is the formula without the expected waiting time.
type noWait struct{ scheduler.Formula }

func (f noWait) Score(n scheduler.Node) float64 {
	n.QueueLength, n.InFlight = 0, 0
	return f.Formula.Score(n)
}

func newIndexed(kernel int, hosts []*host, scorer scheduler.Scorer) *indexed {
	p := &indexed{
		kernel: kernel, hosts: hosts, index: scheduler.New(scheduler.Config{Scorer: scorer}),
		number: make(map[identity.PeerID]int), leases: make([][]scheduler.Lease, len(hosts)),
	}
	for i, h := range hosts {
		p.number[name(i)] = i
		p.report(i, h.slots, 0, 0, 0)
	}
	return p
}

func name(host int) identity.PeerID { return identity.PeerID(fmt.Sprintf("node-%04d", host)) }

var epoch = time.Unix(0, 0)

func (p *indexed) queues() bool { return false }

func (p *indexed) choose(job int, now time.Duration) (int, bool) {
	t := epoch.Add(now)
	c, err := p.index.Choose(scheduler.Request{JobID: strconv.Itoa(job)}, t)
	if err != nil {
		return 0, false
	}
	i := p.number[c.Node.ID]
	lease, _ := p.index.Acquire(c.Node.ID, t)
	p.leases[i] = append(p.leases[i], lease)
	return i, true
}

// release returns an arbitrary lease of the node: they are interchangeable.
func (p *indexed) release(host int) {
	l := p.leases[host]
	p.index.Release(l[0])
	p.leases[host] = l[1:]
}

func (p *indexed) ended(host int, ran, _ time.Duration) {
	p.release(host)
	p.index.Observe(name(host), ran)
}

func (p *indexed) refused(host int, now time.Duration) {
	p.release(host)
	p.index.Full(name(host), epoch.Add(now))
}

func (p *indexed) report(host, free, queue int, seq uint64, now time.Duration) {
	h := p.hosts[host]
	// The index refuses a report that is older than the one it has, whatever order they arrive in.
	_ = p.index.Upsert(scheduler.Node{
		ID: name(host), Latency: h.latency[p.kernel], CreditCost: h.cost,
		FreeSlots: uint32(free), QueueLength: uint32(queue),
		Expires: epoch.Add(now + time.Hour), Sequence: seq,
	}, epoch.Add(now))
}
