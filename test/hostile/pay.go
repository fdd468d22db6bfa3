//go:build unix

package main

import (
	"context"
	"syscall"
	"time"
)

// stoppedFor is how long a node is stopped.
const stoppedFor = 12 * time.Second

// onPay are attacks that take a node's time without paying, and one by a node that bills time in
// which it did nothing.
func onPay() []nativeAttack {
	undisturbed := func(context.Context, *arena) error { return nil }
	lot := uint64(100_000)
	return []nativeAttack{
		{"a voucher of 2 s for a job of 55 s", "ends with it and is paid, 12 reports a second",
			purchases(purchase{module: "fault", method: "work", budget: lot, voucher: 2 * time.Second, time: 55 * time.Second}, undisturbed, func(_ *arena, b bill) bool {
				return b.owes(1500*time.Millisecond) && b.waited < 2500*time.Millisecond && float64(b.reports) <= 2+12*b.waited.Seconds()
			})},
		{"a result as progress, then silence", "killed after 10 s, and they are paid",
			purchases(purchase{module: "fault", method: "spin", budget: lot, voucher: time.Minute, time: 55 * time.Second}, undisturbed, func(_ *arena, b bill) bool {
				return b.owes(9500*time.Millisecond) && b.waited < 15*time.Second
			})},
		{"a start that is never ready", "ended after 15 s, and they are paid",
			purchases(purchase{module: "hostile/never-ready", method: "", budget: lot, voucher: time.Minute, time: 55 * time.Second}, undisturbed, func(_ *arena, b bill) bool {
				return b.owes(14500*time.Millisecond) && b.waited < 20*time.Second
			})},
		{"a start that loops for ever", "ended after 15 s, and they are paid",
			purchases(purchase{module: "hostile/loops-at-start", method: "", budget: lot, voucher: time.Minute, time: 55 * time.Second}, undisturbed, func(_ *arena, b bill) bool {
				return b.owes(14500*time.Millisecond) && b.waited < 20*time.Second
			})},
		{"a budget of 1 microcredit", "100 ms, and 100 ms to end it", buysLittle},
		{"a node stopped for " + stoppedFor.String(), "its bill leaves that out, but for 1 s",
			purchases(purchase{module: "fault", method: "work", budget: lot, voucher: time.Minute, time: stoppedFor + 8*time.Second}, stands, func(_ *arena, b bill) bool {
				worked := b.waited - stoppedFor
				return b.owes(worked-2*time.Second) && b.Cost <= price*uint64((worked+2*time.Second)/time.Second)
			})},
	}
}

// stands stops the node for a while, as a debugger does.
func stands(ctx context.Context, a *arena) error {
	pause(ctx, 3*time.Second)
	if err := a.node.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, stoppedFor)
	return a.node.Process.Signal(syscall.SIGCONT)
}

// buysLittle runs a capsule that never ends again and again, compiled the first time, for the least
// possible amount.
func buysLittle(ctx context.Context, a *arena) (string, bool, error) {
	const times = 10
	b, err := newBuyer(ctx, a)
	if err != nil {
		return "", false, err
	}
	defer b.mesh.Close()
	if _, err := b.buy(ctx, purchase{module: "hostile/doubling", method: "", budget: 100, voucher: time.Minute, time: 2 * time.Second}); err != nil {
		return "", false, err
	}
	before := a.processor()
	var paid uint64
	for range times {
		got, err := b.buy(ctx, purchase{module: "hostile/doubling", method: "", budget: 1, voucher: time.Minute, time: 30 * time.Second})
		if err != nil {
			return "", false, err
		}
		if got.owes(0) {
			paid += got.Cost
		}
	}
	used := a.processor() - before
	measured := used.String() + " of processor for 10 microcredits, one a run"
	return measured, paid == times && used <= times*2*time.Second/price, a.honest(ctx)
}
