package sim

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// Result is the measurements of one policy under one workload.
type Result struct {
	Policy   string
	Makespan time.Duration // from the first arrival to the last answer
	P50, P99 time.Duration // of a job's latency, from its arrival to its answer
	Cost     float64       // microcredits per job, mean
	Fairness float64       // Jain's index over the nodes' use: 1 when all are used alike
	Refused  float64       // answers "busy" per job
}

// Run simulates one policy. The same seed gives every policy the same nodes and the same jobs.
func Run(seed uint64, m Mesh, w Workload, p Policy) Result {
	m = m.withDefaults()
	rng := rand.New(rand.NewPCG(seed, 1))
	hosts, capacity := makeHosts(rng, m)
	s := &run{w: w, hosts: hosts, left: m.Jobs, rng: rand.New(rand.NewPCG(seed, 2))}
	for _, j := range makeJobs(rng, m, w, capacity) {
		s.at(j.arrived, func() { s.place(j) })
	}
	for k := range m.Kernels {
		s.kernels = append(s.kernels, &kernel{policy: p.New(k, hosts, rand.New(rand.NewPCG(seed, uint64(3+k))))})
	}
	for i := range hosts {
		s.report(i)
		s.at(time.Duration(s.rng.Int64N(int64(w.Report))), func() { s.reports(i) })
	}
	for s.left > 0 {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	return s.result(p.Name)
}

type run struct {
	w       Workload
	hosts   []*host
	kernels []*kernel
	rng     *rand.Rand
	now     time.Duration
	serial  int
	events  events
	left    int

	latencies []time.Duration
	cost      float64
	refused   int
}

// kernel is a kernel that dispatches, with the jobs that wait in it for a report.
type kernel struct {
	policy  chooser
	waiting []*job
}

type event struct {
	at     time.Duration
	serial int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].serial, q[j].serial)) < 0
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(v any)   { *q = append(*q, v.(event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func (s *run) at(t time.Duration, do func()) {
	s.serial++
	heap.Push(&s.events, event{t, s.serial, do})
}

func (s *run) after(d time.Duration, do func()) { s.at(s.now+d, do) }

// place has the job's kernel choose a node.
func (s *run) place(j *job) {
	k := s.kernels[j.kernel]
	i, ok := k.policy.choose(j.id, s.now)
	if !ok {
		k.waiting = append(k.waiting, j)
		return
	}
	j.host, j.mayQueue = i, k.policy.queues()
	s.after(s.hosts[i].latency[j.kernel]/2, func() { s.reach(j) })
}

// news has the kernel's waiting jobs try again, the oldest first.
func (s *run) news(k *kernel) {
	for len(k.waiting) > 0 {
		j := k.waiting[0]
		i, ok := k.policy.choose(j.id, s.now)
		if !ok {
			return
		}
		k.waiting = k.waiting[1:]
		j.host, j.mayQueue = i, k.policy.queues()
		s.after(s.hosts[i].latency[j.kernel]/2, func() { s.reach(j) })
	}
}

// reach handles the arrival of the job on its node.
func (s *run) reach(j *job) {
	h := s.hosts[j.host]
	switch {
	case h.busy < h.slots:
		s.start(j)
	case j.mayQueue:
		h.queue = append(h.queue, j)
	default:
		s.refused++
		s.after(h.latency[j.kernel]/2, func() {
			k := s.kernels[j.kernel]
			k.policy.refused(j.host, s.now)
			k.waiting = append([]*job{j}, k.waiting...)
			s.news(k)
		})
	}
}

func (s *run) start(j *job) {
	h := s.hosts[j.host]
	h.busy++
	ran := time.Duration(float64(j.work) / h.speed)
	s.after(ran, func() {
		h.busy--
		h.spent += ran
		s.cost += ran.Seconds() * float64(h.cost)
		if len(h.queue) > 0 {
			next := h.queue[0]
			h.queue = h.queue[1:]
			s.start(next)
		}
		s.after(h.latency[j.kernel]/2, func() { s.answer(j, ran) })
	})
}

func (s *run) answer(j *job, ran time.Duration) {
	k := s.kernels[j.kernel]
	s.latencies = append(s.latencies, s.now-j.arrived)
	s.left--
	k.policy.ended(j.host, ran, s.now)
	s.news(k)
}

// report sends the present state of node i to every kernel; each gets it after its own delay.
func (s *run) report(i int) {
	h := s.hosts[i]
	h.seq++
	free, queue, seq := h.slots-h.busy, len(h.queue), h.seq
	for k, kernel := range s.kernels {
		s.after(h.latency[k]/2, func() {
			kernel.policy.report(i, free, queue, seq, s.now)
			s.news(kernel)
		})
	}
}

func (s *run) reports(i int) {
	s.report(i)
	s.after(s.w.Report, func() { s.reports(i) })
}

func (s *run) result(policy string) Result {
	slices.Sort(s.latencies)
	n := len(s.latencies)
	var sum, squares float64
	for _, h := range s.hosts {
		use := h.spent.Seconds() / float64(h.slots)
		sum += use
		squares += use * use
	}
	return Result{
		Policy: policy, Makespan: s.now, P50: s.latencies[n/2], P99: s.latencies[n*99/100],
		Cost:     s.cost / float64(n),
		Fairness: sum * sum / (float64(len(s.hosts)) * squares),
		Refused:  float64(s.refused) / float64(n),
	}
}
