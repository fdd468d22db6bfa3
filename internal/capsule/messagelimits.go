package capsule

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// What a capsule may say that is not data. More of it costs the host next to
// nothing: log lines are counted instead of read, and of heartbeats the newest
// is heard a little later.
const (
	logBurst  = 1000 // lines at once ...
	logRate   = 100  // ... and in each second after that
	beatBurst = 100
	beatRate  = 100

	// reportEvery is how often the log says how many lines are missing.
	reportEvery = time.Second
)

// messageLimits keeps to these bounds. Only the pump uses it.
type messageLimits struct {
	lines, beats *rate.Limiter
	dropped      uint64    // lines since the last report
	reported     time.Time // the last report
	late         []byte    // the newest heartbeat, not heard yet
}

func newMessageLimits() messageLimits {
	return messageLimits{lines: rate.NewLimiter(logRate, logBurst), beats: rate.NewLimiter(beatRate, beatBurst)}
}

// excess takes a log line or a heartbeat out that is more than the capsule may
// send, and reports whether it did.
func (c *Capsule) excess(kind FrameKind, payload []byte) bool {
	switch kind {
	case FrameLog:
		if c.limits.lines.AllowN(time.Now(), 1) {
			return false
		}
		c.limits.dropped++
	case FrameHeartbeat:
		if len(c.limits.late) == 0 && c.limits.beats.AllowN(time.Now(), 1) {
			return false
		}
		c.limits.late = append(c.limits.late[:0], payload...)
	default:
		return false
	}
	return true
}

// catchUp hears the heartbeat that was put off, once it may, and says what the
// log lacks.
func (c *Capsule) catchUp(now time.Time) error {
	if len(c.limits.late) > 0 && c.limits.beats.AllowN(now, 1) {
		msg, err := c.decode(FrameHeartbeat, c.limits.late)
		c.limits.late = c.limits.late[:0]
		if err != nil {
			return err
		}
		if err := c.handle(FrameHeartbeat, msg); err != nil {
			return err
		}
	}
	if c.limits.dropped > 0 && now.Sub(c.limits.reported) >= reportEvery {
		c.report(now)
	}
	return nil
}

// report says in the log how many of its lines are missing.
func (c *Capsule) report(now time.Time) {
	n := c.limits.dropped
	c.limits.dropped, c.limits.reported = 0, now
	if n > 0 && c.cfg.OnLog != nil {
		c.cfg.OnLog(Log{Level: levelWarn, Text: fmt.Sprintf("inos: %d lines of this log were dropped: more than %d a second", n, logRate)})
	}
}

// levelWarn is that of log/slog.
const levelWarn = 4

// waiting reports whether catchUp has something left to do.
func (h *messageLimits) waiting() bool { return len(h.late) > 0 || h.dropped > 0 }
