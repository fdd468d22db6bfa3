package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// Workload says which jobs arrive, how long they run and how old reports are.
type Workload struct {
	Name string
	// Heavy makes the running times heavy-tailed (bounded Pareto, shape 1.3) instead
	// of exponential; the mean is the same.
	Heavy bool
	// Flash multiplies the arrivals of the middle fifth; 0 means that it does not.
	Flash  float64
	Report time.Duration // how often a node reports
	Load   float64       // arriving work over the nodes' capacity, outside a flash
}

// Workloads are the ones compared.
func Workloads() []Workload {
	const often = 500 * time.Millisecond // the kernel's own pace under load
	return []Workload{
		{Name: "uniform", Report: often, Load: 0.7},
		{Name: "heavy-tailed", Report: often, Load: 0.7, Heavy: true},
		{Name: "flash crowd", Report: often, Load: 0.35, Flash: 2.6},
		{Name: "stale news", Report: 10 * time.Second, Load: 0.7},
	}
}

// Mesh is the size of a simulation; the zero value is the documented default.
type Mesh struct {
	Nodes   int           // 0 means 60
	Kernels int           // kernels that dispatch; 0 means 4
	Jobs    int           // 0 means 12,000
	Service time.Duration // mean running time of a job; 0 means 200 ms
}

func (m Mesh) withDefaults() Mesh {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&m.Nodes, 60)
	def(&m.Kernels, 4)
	def(&m.Jobs, 12_000)
	if m.Service <= 0 {
		m.Service = 200 * time.Millisecond
	}
	return m
}

// host is a node's true state; kernels know only its reports.
type host struct {
	slots   int
	cost    uint64
	speed   float64 // work per second; no policy knows it
	latency []time.Duration

	busy  int
	queue []*job
	spent time.Duration // slot time
	seq   uint64
}

type job struct {
	id       int
	kernel   int
	arrived  time.Duration
	work     time.Duration
	host     int
	mayQueue bool
}

func makeHosts(rng *rand.Rand, m Mesh) (hosts []*host, capacity float64) {
	for range m.Nodes {
		h := &host{
			slots: []int{1, 2, 4, 8}[rng.IntN(4)],
			cost:  uint64(50 * math.Exp(0.6*rng.NormFloat64())),
			speed: 0.7 + 0.6*rng.Float64(),
		}
		for range m.Kernels {
			ms := min(20*math.Exp(0.8*rng.NormFloat64()), 300)
			h.latency = append(h.latency, time.Duration(ms*float64(time.Millisecond)))
		}
		capacity += float64(h.slots) * h.speed
		hosts = append(hosts, h)
	}
	return hosts, capacity
}

// makeJobs draws the arrivals (a Poisson process) and the work of each job.
func makeJobs(rng *rand.Rand, m Mesh, w Workload, capacity float64) []*job {
	rate := w.Load * capacity / m.Service.Seconds() // jobs a second
	jobs := make([]*job, m.Jobs)
	at := 0.0
	for i := range jobs {
		r := rate
		if w.Flash > 0 && i > m.Jobs*2/5 && i < m.Jobs*3/5 {
			r *= w.Flash
		}
		at += rng.ExpFloat64() / r
		jobs[i] = &job{id: i, kernel: rng.IntN(m.Kernels), arrived: seconds(at), work: seconds(w.draw(rng) * m.Service.Seconds())}
	}
	return jobs
}

// draw returns a running time with mean 1.
func (w Workload) draw(rng *rand.Rand) float64 {
	if !w.Heavy {
		return rng.ExpFloat64()
	}
	// Bounded Pareto over [low, high]: shape 1.3, high/low = 1000; low gives the mean 1.
	const shape, ratio = 1.3, 1000.0
	mean := shape / (shape - 1) * (1 - math.Pow(ratio, 1-shape)) / (1 - math.Pow(ratio, -shape))
	u := rng.Float64()
	return math.Pow(1-u*(1-math.Pow(ratio, -shape)), -1/shape) / mean
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
