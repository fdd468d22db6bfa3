package monitor

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// nodeCollector reads the node at each collection. It implements prometheus.Collector.
type nodeCollector struct{ cfg Config }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("inos_"+name, help, labels, nil)
}

var (
	built    = desc("build_info", "1, labelled with the version.", "version")
	up       = desc("up", "1 while the kernel's loop answers.")
	draining = desc("draining", "1 once the node has been told to stop.")
	slots    = desc("slots", "Jobs of other nodes that may run here at a time.")
	free     = desc("slots_free", "Of them, how many are free.")
	serving  = desc("jobs_serving", "Jobs that run here.")
	running  = desc("jobs_placed", "Jobs dispatched from here that have a node.")
	waiting  = desc("jobs_waiting", "Jobs dispatched from here that wait for a node.")
	peers    = desc("peers", "Peers that are connected.")
	known    = desc("nodes_known", "Nodes whose profile is known, this one included.")
	offset   = desc("clock_offset_seconds", "How far this machine's clock is ahead of the middle one of the connected peers'.")
	shed     = desc("events_dropped", "Events that slow subscribers missed.")

	capsules = desc("capsules", "Capsules by their state.", "state")
	memory   = desc("capsule_memory_bytes", "Memory of the capsules that run.")
	limit    = desc("memory_limit_bytes", "Memory that capsules, compilations, the library, snapshots, inputs and outputs may take together.")
	taken    = desc("memory_taken_bytes", "Of it, what each of them has taken.", "part")
	restarts = desc("capsule_restarts", "Restarts of the capsules that are there.")
	unheard  = desc("capsule_stream_unheard_bytes", "Bytes that the capsules that are there emitted while nobody listened.")

	ledgers = desc("ledger_accounts", "Ledgers on the node's books.")
	entries = desc("ledger_entries", "Entries of the node's books.")
	held    = desc("ledger_held_microcredits", "Set aside for jobs.")
	owed    = desc("ledger_owed_microcredits", "Owed to this node by ledgers on their credit lines.")
	written = desc("ledger_writable", "1 while this node can write its books.")
	unequal = desc("ledger_imbalance_microcredits", "The sum over all accounts, which is 0.")
)

var all = []*prometheus.Desc{built, up, draining, slots, free, serving, running, waiting, peers, known, offset, shed,
	capsules, memory, limit, taken, restarts, unheard, ledgers, entries, held, owed, written, unequal}

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *nodeCollector) Collect(ch chan<- prometheus.Metric) {
	is := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	is(built, 1, c.cfg.Version)
	is(draining, flag(c.cfg.Node.Draining()))
	st, err := (&Monitor{cfg: c.cfg}).Alive(context.Background())
	is(up, flag(err == nil))
	if err == nil {
		is(slots, float64(st.Slots))
		is(free, float64(st.FreeSlots))
		is(serving, float64(st.Serving))
		is(running, float64(st.Running))
		is(waiting, float64(st.Waiting))
		is(peers, float64(st.Peers))
		is(known, float64(st.Nodes))
		is(offset, st.Clocks.Ahead.Seconds())
		is(shed, float64(st.Dropped))
		is(written, flag(st.Unwritable == nil))
		is(limit, float64(st.Memory.Most))
		for part, n := range st.Memory.Of {
			is(taken, float64(n), part)
		}
	}
	states := make(map[string]float64)
	var bytes, again, lost float64
	for _, k := range c.cfg.Node.CapsuleList() {
		states[k.State]++
		bytes += float64(k.MemoryBytes)
		again += float64(k.Restarts)
		lost += float64(k.Unheard)
	}
	for state, n := range states {
		is(capsules, n, state)
	}
	is(memory, bytes)
	is(restarts, again)
	is(unheard, lost)

	var inHolds, debt float64
	balances := c.cfg.Ledger.Balances()
	for _, b := range balances {
		inHolds += float64(b.Held)
		debt += float64(max(-b.Balance, 0))
	}
	sequence, _ := c.cfg.Ledger.Head()
	is(ledgers, float64(len(balances)))
	is(entries, float64(sequence))
	is(held, inHolds)
	is(owed, debt)
	is(unequal, float64(c.cfg.Ledger.Sum()))
}
