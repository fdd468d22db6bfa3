//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"inos/internal/capsule/hostile"
	"inos/internal/mesh"
)

// Bounds that hold for every attack on a browser. Chromium takes two seconds to end a Worker that
// is inside WebAssembly, whatever the page does.
const (
	workerGoneWithin = 3 * time.Second
	// idle is less than the processor time that a thread which still computes uses in a second:
	// page, kernel and measuring take up to half of a processor, and the engine cleans up after a
	// Worker.
	idle = 800 * time.Millisecond
)

// inBrowsers are the attacks on a browser as the worker.
func inBrowsers(name string) []attack {
	bound := fmt.Sprintf("pings and page below %v, its Worker gone %v after its deadline, no thread at work then, paid", slowestPing, workerGoneWithin)
	const lot, short = 100_000, 3 * time.Second
	one := func(module string) purchase {
		return purchase{module: module, budget: lot, voucher: time.Minute, time: short}
	}
	var rows []attack
	add := func(what, bound string, run func(context.Context, *page) (string, bool, error)) {
		rows = append(rows, attack{what + ", in " + name, bound, onPage(name, run)})
	}
	add("calls itself twice, 62 deep", bound, ends(one("hostile/doubling")))
	add("rows of memory.fill", bound, ends(one("hostile/fills")))
	add("rows of memory.copy", bound, ends(one("hostile/copies")))
	add("an endless loop", bound, ends(one("hostile/silence")))
	add("logs, heartbeats, events without end", bound, ends(
		purchase{module: "fault", method: "chat", budget: lot, voucher: time.Minute, time: short},
		purchase{module: "fault", method: "lie", args: []string{"beats"}, budget: lot, voucher: time.Minute, time: short},
		purchase{module: "fault", method: "lie", args: []string{"drown"}, budget: lot, voucher: time.Minute, time: short},
		purchase{module: "fault", method: "emit", args: []string{"1000000000000", "8"}, budget: lot, voucher: time.Minute, time: short}))
	add("a voucher of 2 s for a job of 55 s", "ends with it and is paid", cut(
		purchase{module: "fault", method: "work", budget: lot, voucher: 2 * time.Second, time: 55 * time.Second}, time.Second, 4*time.Second))
	add("a result as progress, then silence", "killed after 10 s, and they are paid", cut(
		purchase{module: "fault", method: "spin", budget: lot, voucher: time.Minute, time: 55 * time.Second}, 9*time.Second, 15*time.Second))
	add("a start that is never ready", "ended after 15 s, and they are paid", cut(
		purchase{module: "hostile/never-ready", budget: lot, voucher: time.Minute, time: 55 * time.Second}, 14*time.Second, 20*time.Second))
	add("each of capsules/hostile", bound, everyModule)
	add("80 million locals", "refused, below 64 MiB more", refusedByPage(hostile.Module(hostile.Locals(80_000_000))))
	add("270 million locals", "refused, below 64 MiB more", refusedByPage(hostile.Module(hostile.Locals(270_000_000))))
	add("half a minute to compile", bound, ends(purchase{bytes: hostile.SlowToCompile(), budget: lot, voucher: time.Minute, time: short}))
	add("8 jobs for 1 GiB each, never ready", "below 1 GiB and 256 MiB more", grabsOfPage)
	return rows
}

// onPage uses one browser for all attacks: what one of them leaves behind affects the next.
func onPage(name string, run func(context.Context, *page) (string, bool, error)) func(context.Context, programs) (string, bool, error) {
	return func(ctx context.Context, at programs) (measured string, held bool, err error) {
		p := at.pages[name]
		if p == nil {
			if p, err = newPage(ctx, name, at.capsules); err != nil {
				return "", false, err
			}
			at.pages[name] = p
		}
		if measured, held, err = run(ctx, p); err != nil {
			delete(at.pages, name)
			err = errors.Join(err, p.close())
		}
		return measured, held, err
	}
}

// good runs an honest peer's capsule: it shows that the browser still serves.
func (p *page) good(ctx context.Context) error {
	got, err := p.honest.buy(ctx, purchase{module: "hash", method: "sha256", budget: 10_000, voucher: time.Minute, time: 30 * time.Second})
	if err == nil && got.Code != mesh.JobOK {
		err = fmt.Errorf("an honest job afterwards: %v", got)
	}
	return err
}

// calm measures a second without an attack, after an honest job. The measurement begins anew.
func (p *page) calm(ctx context.Context) (f felt, err error) {
	if err = p.good(ctx); err != nil {
		return f, err
	}
	if err = p.begin(); err != nil {
		return f, err
	}
	pause(ctx, time.Second)
	if f, err = p.feels(); err != nil {
		return f, err
	}
	return f, p.begin()
}

// run runs w in the browser. It returns how long after its deadline or its end w was gone, and
// whether it was paid for or refused.
func (p *page) run(ctx context.Context, w purchase) (got bill, gone time.Duration, fair bool, err error) {
	began := time.Now()
	if got, err = p.stranger.buy(ctx, w); err != nil {
		return got, 0, false, err
	}
	if _, err = p.gone(ctx); err != nil {
		return got, 0, false, err
	}
	gone = time.Since(began) - min(w.time, got.waited)
	// A run that never began is free; any other costs what it used, except for a second in which
	// the machine may have been busy otherwise.
	least := got.Run - time.Second
	if got.Code == mesh.JobDeadline {
		least = max(least, w.time-time.Second)
	}
	least = max(least, 0)
	fair = got.Run == 0 && got.Cost == 0 && got.Code != mesh.JobDeadline || got.owes(least)
	return got, gone, fair, nil
}

// cut is a job that is ended before its deadline, after it ran for least; its payer waits for less
// than most.
func cut(w purchase, least, most time.Duration) func(context.Context, *page) (string, bool, error) {
	return func(ctx context.Context, p *page) (string, bool, error) {
		before, err := p.calm(ctx)
		if err != nil {
			return "", false, err
		}
		got, gone, _, err := p.run(ctx, w)
		if err != nil {
			return "", false, err
		}
		f, err := p.feels()
		if err != nil {
			return "", false, err
		}
		measured := fmt.Sprintf("%v; gone %v after; %v (%v before)", got, gone.Round(time.Millisecond), f, before)
		return measured, got.owes(least) && got.waited < most && gone < workerGoneWithin && f.holds(), p.good(ctx)
	}
}

// ends are jobs whose capsules do not end by themselves, one after the other.
func ends(all ...purchase) func(context.Context, *page) (string, bool, error) {
	return func(ctx context.Context, p *page) (string, bool, error) {
		before, err := p.calm(ctx)
		if err != nil {
			return "", false, err
		}
		var latest time.Duration
		var said []string
		held := true
		for _, w := range all {
			got, gone, fair, err := p.run(ctx, w)
			if err != nil {
				return "", false, err
			}
			latest = max(latest, gone)
			if held = held && fair; !fair || gone > workerGoneWithin || len(all) == 1 {
				said = append(said, fmt.Sprintf("%s: %v, gone %v after", w, got, gone.Round(time.Millisecond)))
			}
		}
		f, err := p.feels()
		if err != nil {
			return "", false, err
		}
		after := p.idles(ctx)
		measured := strings.Join(append(said, fmt.Sprintf("gone %v after; %v (%v before); %v of processor in the second after", latest.Round(time.Millisecond), f, before, after)), "; ")
		return measured, held && latest < workerGoneWithin && f.holds() && after < idle, p.good(ctx)
	}
}

// everyModule is a job of each module of capsules/hostile.
func everyModule(ctx context.Context, p *page) (string, bool, error) {
	files, err := filepath.Glob(filepath.Join(p.stranger.capsules, "hostile", "*.wasm"))
	if err != nil || len(files) == 0 {
		return "", false, errors.Join(err, errors.New("no modules"))
	}
	slices.Sort(files)
	var all []purchase
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".wasm")
		all = append(all, purchase{module: "hostile/" + name, budget: 100_000, voucher: time.Minute, time: 2 * time.Second})
	}
	measured, held, err := ends(all...)(ctx, p)
	return fmt.Sprintf("%d modules; %s", len(all), measured), held, err
}

// refusedByPage is a module that is refused without taking memory.
func refusedByPage(wasm []byte) func(context.Context, *page) (string, bool, error) {
	return func(ctx context.Context, p *page) (string, bool, error) {
		if err := p.good(ctx); err != nil {
			return "", false, err
		}
		before := p.resident()
		if err := p.begin(); err != nil {
			return "", false, err
		}
		got, err := p.stranger.buy(ctx, purchase{bytes: wasm, budget: 100_000, voucher: time.Minute, time: 30 * time.Second})
		if err != nil {
			return "", false, err
		}
		f, err := p.feels()
		if err != nil {
			return "", false, err
		}
		more := int64(f.memory-before) >> 20
		return fmt.Sprintf("%d MiB more; %v; %v", more, f, got), got.Code == mesh.JobBadCapsule && more < 64 && f.holds(), p.good(ctx)
	}
}

// grabsOfPage is eight jobs at once whose capsules take all the memory they can get and never
// report that they are ready.
func grabsOfPage(ctx context.Context, p *page) (string, bool, error) {
	calm, err := p.calm(ctx)
	if err != nil {
		return "", false, err
	}
	before := p.resident()
	type end struct {
		bill
		err error
	}
	ended := make(chan end, 8)
	for range cap(ended) {
		go func() {
			got, err := p.stranger.buy(ctx, purchase{module: "hostile/hoards", budget: 100_000, voucher: time.Minute, time: 10 * time.Second})
			ended <- end{got, err}
		}()
	}
	ran, fair := 0, true
	for range cap(ended) {
		e := <-ended
		if e.err != nil {
			return "", false, e.err
		}
		if e.Code != mesh.JobBusy {
			ran++
			fair = fair && e.owes(e.Run)
		}
	}
	f, err := p.feels()
	if err != nil {
		return "", false, err
	}
	more := int64(f.memory-before) >> 20
	if _, err := p.gone(ctx); err != nil {
		return "", false, err
	}
	return fmt.Sprintf("%d MiB more, %d of 8 ran and were paid (%v); %v (%v before)", more, ran, fair, f, calm), fair && more < 1024+256 && f.holds(), p.good(ctx)
}
