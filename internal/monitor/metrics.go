package monitor

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"inos/internal/kernel"
)

// eventsWaiting bounds the events that wait to be counted. inos_events_missed_total counts those
// beyond it.
const eventsWaiting = 1 << 14

// jobMetrics counts the node's events about jobs.
type jobMetrics struct {
	ended    *prometheus.CounterVec
	rejected *prometheus.CounterVec
	run      prometheus.Histogram
	cost     *prometheus.CounterVec
	missed   prometheus.Counter
}

func newJobMetrics() jobMetrics {
	return jobMetrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "inos_jobs_total",
			Help: "Jobs that ended. whose is own (dispatched from here) or others (run here); outcome is the job code, or error."}, []string{"whose", "outcome"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "inos_jobs_rejected_total",
			Help: "Jobs that the policy or the ledger refused, by the code of the rejection."}, []string{"whose", "code"}),
		run: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "inos_capsule_run_seconds",
			Help:    "How long capsules ran for jobs of other nodes.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)}), // 1 ms to 4.4 min
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "inos_jobs_cost_microcredits_total",
			Help: "What jobs cost: own is spent here, others is earned here."}, []string{"whose"}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{Name: "inos_events_missed_total",
			Help: "Events that came too fast to be counted: the counters above lack them."}),
	}
}

// count counts the node's events until ctx ends.
func (m *Monitor) count(ctx context.Context) {
	defer m.cancel()
	for {
		select {
		case e, ok := <-m.events:
			if !ok {
				return
			}
			m.jobs.take(e)
		case <-ctx.Done():
			return
		}
	}
}

func (j *jobMetrics) take(e kernel.Event) {
	switch e := e.(type) {
	case kernel.JobEnded:
		outcome := e.Outcome.Code.String()
		if !e.Outcome.Code.Known() || e.Err != nil && outcome == "ok" {
			outcome = "error"
		}
		whose := whoseJob(string(e.From))
		j.ended.WithLabelValues(whose, outcome).Inc()
		j.cost.WithLabelValues(whose).Add(float64(e.Outcome.Cost))
		if e.From != "" && e.Outcome.Run > 0 {
			j.run.Observe(e.Outcome.Run.Seconds())
		}
	case kernel.JobRejected:
		j.rejected.WithLabelValues(whoseJob(string(e.From)), e.Reason).Inc()
	case kernel.Dropped:
		j.missed.Add(float64(e.Count))
	}
}

func whoseJob(from string) string {
	if from == "" {
		return "own"
	}
	return "others"
}
