//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"inos/internal/identity"
)

// listen is an address that a browser can dial.
const listen = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport"

// page is a browser that lends its machine, as test/browser/hostile.mjs opens it, with two peers
// connected to it: an honest one that pings it all the time, and a stranger.
type page struct {
	browser string
	driver  *exec.Cmd
	lines   *bufio.Scanner
	say     func(line string) error
	hangUp  func() error

	honest   *buyer
	stranger *buyer
	pings
}

// answer is the driver's answer to a line.
type answer struct {
	PeerID                    identity.PeerID
	TurnMs, FrameMs, AnswerMs float64
	Workers                   int
	Error                     string
}

func newPage(ctx context.Context, browser, capsules string) (*page, error) {
	p := &page{browser: browser}
	var err error
	if p.honest, err = newStranger(capsules, listen); err != nil {
		return nil, err
	}
	if p.stranger, err = newStranger(capsules, listen); err != nil {
		return nil, errors.Join(err, p.honest.mesh.Close())
	}
	p.driver = exec.CommandContext(ctx, "node", "test/browser/hostile.mjs", browser, p.honest.mesh.Addrs()[0])
	p.driver.Stderr = os.Stderr
	in, err := p.driver.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.hangUp = in.Close
	p.say = func(line string) error {
		_, err := fmt.Fprintln(in, line)
		return err
	}
	out, err := p.driver.StdoutPipe()
	if err == nil {
		p.lines = bufio.NewScanner(out)
		err = p.driver.Start()
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	at, err := p.heard()
	if err == nil {
		p.honest.node, p.stranger.node = at.PeerID, at.PeerID
		_, err = p.ask("connect " + p.stranger.mesh.Addrs()[0])
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err = p.warm(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.ping(ctx, p.honest.mesh, at.PeerID, p.resident)
	return p, nil
}

// warmWithin is how long a browser may take until it has done its first job: Firefox compiles the
// kernel again while it runs, which takes all cores for some time.
const warmWithin = 2 * time.Minute

// warm runs honest jobs in the browser until one is done within a second.
func (p *page) warm(ctx context.Context) error {
	for began := time.Now(); ; {
		start := time.Now()
		err := p.good(ctx)
		if err == nil && time.Since(start) < time.Second {
			return nil
		}
		if time.Since(began) > warmWithin {
			return errors.Join(fmt.Errorf("%s did no job within a second", p.browser), err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// heard reads the driver's next answer.
func (p *page) heard() (a answer, err error) {
	if !p.lines.Scan() {
		return a, errors.Join(fmt.Errorf("the driver of %s has ended", p.browser), p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s: %q: %w", p.browser, p.lines.Text(), err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", p.browser, a.Error)
	}
	return a, nil
}

func (p *page) ask(line string) (answer, error) {
	if err := p.say(line); err != nil {
		return answer{}, err
	}
	return p.heard()
}

// begin resets the measurements.
func (p *page) begin() error {
	p.forget()
	_, err := p.ask("begin")
	return err
}

func (p *page) resident() uint64 { return resident(p.driver.Process.Pid) }

// gone waits until no capsule has a Worker. It returns the time that this took.
func (p *page) gone(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	for ctx.Err() == nil {
		a, err := p.ask("workers")
		if took := time.Since(began); err != nil || a.Workers == 0 {
			return took, err
		} else if took > 30*time.Second {
			return took, fmt.Errorf("%s: %d Workers live on", p.browser, a.Workers)
		}
		pause(ctx, 10*time.Millisecond)
	}
	return time.Since(began), ctx.Err()
}

// idles reports how much of a processor the browser uses in a second.
func (p *page) idles(ctx context.Context) time.Duration {
	before := processor(p.driver.Process.Pid)
	pause(ctx, time.Second)
	return processor(p.driver.Process.Pid) - before
}

// close ends the browser.
func (p *page) close() error {
	p.end()
	var errs []error
	if p.hangUp != nil {
		errs = append(errs, p.hangUp())
	}
	if p.driver != nil && p.driver.Process != nil {
		errs = append(errs, p.driver.Wait())
	}
	for _, b := range []*buyer{p.honest, p.stranger} {
		errs = append(errs, b.mesh.Close())
	}
	return errors.Join(errs...)
}

// felt is the effect of an attack on others.
type felt struct {
	ping, turn, frame, answer time.Duration
	memory                    uint64
}

func (p *page) feels() (f felt, err error) {
	a, err := p.ask("seen")
	if err != nil {
		return f, err
	}
	ms := func(n float64) time.Duration {
		return time.Duration(n * float64(time.Millisecond)).Round(time.Millisecond)
	}
	f = felt{turn: ms(a.TurnMs), frame: ms(a.FrameMs), answer: ms(a.AnswerMs), memory: p.mostMemory()}
	f.ping, err = p.pinged()
	f.ping = f.ping.Round(time.Millisecond)
	return f, err
}

// holds reports whether the effect on others is within the promised bound.
func (f felt) holds() bool { return max(f.ping, f.turn, f.frame) < slowestPing }

func (f felt) String() string {
	return strings.Join([]string{fmt.Sprint("ping ", f.ping), fmt.Sprint("page ", max(f.turn, f.frame)), fmt.Sprint("kernel ", f.answer)}, ", ")
}
