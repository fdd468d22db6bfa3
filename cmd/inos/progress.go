package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"inos/internal/mesh"
)

// progressLine is a line on a terminal that shows a job's progress.
type progressLine struct {
	w       io.Writer
	news    chan mesh.Progress // capacity 1: the newest
	stop    chan struct{}
	writing sync.WaitGroup
	began   time.Time
}

// showProgress begins the line where diag is a terminal and quiet is false; otherwise there is
// none.
func showProgress(diag io.Writer, quiet bool) *progressLine {
	if quiet || !isTerminal(diag) {
		return nil
	}
	l := &progressLine{w: diag, news: make(chan mesh.Progress, 1), stop: make(chan struct{}), began: time.Now()}
	l.writing.Go(l.write)
	return l
}

// report never blocks. The jobs' own reports come a few times a second at most.
func (l *progressLine) report(p mesh.Progress) {
	select {
	case <-l.news:
	default:
	}
	select {
	case l.news <- p:
	default: // the waiting one of another goroutine is as new
	}
}

func (l *progressLine) write() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last mesh.Progress
	for {
		select {
		case last = <-l.news:
			continue // the next tick shows it
		case <-tick.C:
			fmt.Fprint(l.w, "\r\x1b[K", progressText(last, time.Since(l.began)))
		case <-l.stop:
			fmt.Fprint(l.w, "\r\x1b[K")
			return
		}
	}
}

// end removes the line.
func (l *progressLine) end() {
	close(l.stop)
	l.writing.Wait()
}

func progressText(p mesh.Progress, passed time.Duration) string {
	line := fmt.Sprintf("%v", passed.Truncate(100*time.Millisecond))
	if p.Total > 0 {
		line += fmt.Sprintf("  %d %%", 100*min(p.Done, p.Total)/p.Total)
	}
	if p.Cost > 0 {
		line += fmt.Sprintf("  %d microcredits", p.Cost)
	}
	return line
}
