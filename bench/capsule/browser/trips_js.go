package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"inos/internal/capsule"
)

// contestants answer the same question by other means; see peers.ts.
var contestants = []string{"atomics", "spinning", "postMessage", "comlink"}

// batch is the number of trips in a row whose mean is one sample of the median: the browser's clock
// ticks at 5 µs, about as long as a trip takes.
const batch = 20

// roundTrips asks again as soon as the answer has come.
func roundTrips(ctx context.Context, mod capsule.Module) error {
	return trips(ctx, mod, "command", *tripsATurn, 0, batch)
}

// pause is the time between an answer and the next command of a paced trip: long enough for both
// threads to fall asleep.
const pause = 3 * time.Millisecond

// pacedTrips asks with pauses, as a person or a timer does. The clock's tick is small beside such
// trips, so that each is a sample.
func pacedTrips(ctx context.Context, mod capsule.Module) error {
	return trips(ctx, mod, "paced", max(*tripsATurn/50, 4), pause, 1)
}

// trips asks each contestant n times a turn, in turns, and prints the median of the means of
// batches and the p99 of single trips.
func trips(ctx context.Context, mod capsule.Module, what string, n int, pause time.Duration, batch int) error {
	c, err := open(ctx, mod, capsule.Config{Heartbeat: time.Second})
	if err != nil {
		return err
	}
	defer end(c)
	own := func(n int) ([]float64, error) {
		out := make([]float64, n)
		for i := range out {
			if pause > 0 {
				time.Sleep(pause)
			}
			began := time.Now()
			r, err := c.Command(ctx, capsule.Command{ID: strconv.Itoa(i), Type: capsule.Resume})
			if err != nil || r.Code != capsule.OK {
				return nil, fmt.Errorf("%v: %w", r, err)
			}
			out[i] = ms(time.Since(began))
		}
		return out, nil
	}
	all := map[string][]float64{}
	for round := range *rounds + 1 {
		n := n
		if round == 0 {
			n /= 4 // until the engine has compiled the hot code
		}
		mine, err := own(n)
		if err != nil {
			return err
		}
		all["inos"] = append(all["inos"], mine...)
		for _, name := range contestants {
			theirs, err := peer("run", name, n, ms(pause))
			if err != nil {
				return err
			}
			all[name] = append(all[name], theirs...)
		}
		if round == 0 {
			clear(all)
		}
	}
	for _, name := range append([]string{"inos"}, contestants...) {
		tripTimes(what, name, batch, all[name])
	}
	return nil
}

func tripTimes(what, by string, batch int, ms []float64) {
	var means []float64
	for b := range slices.Chunk(ms, batch) {
		var sum float64
		for _, t := range b {
			sum += t
		}
		means = append(means, sum/float64(len(b)))
	}
	slices.Sort(means)
	slices.Sort(ms)
	print(figure{What: what, By: by, P50: means[len(means)/2], P99: ms[len(ms)*99/100]})
}
