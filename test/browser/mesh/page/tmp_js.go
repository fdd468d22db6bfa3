package main

import (
	"context"
	"fmt"
	"slices"
	"syscall/js"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"
	msmux "github.com/multiformats/go-multistream"
)

func pr(name string, took []time.Duration) {
	slices.Sort(took)
	n := len(took)
	fmt.Printf("     %s: best %.3f ms, p50 %.3f, p90 %.3f\n", name, ms(took[0]), ms(took[n/2]), ms(took[n*9/10]))
}

func breakdown(ctx context.Context, c transport.CapableConn) {
	var openT, negT, lazyT, closeT, fn []time.Duration
	nop := js.FuncOf(func(js.Value, []js.Value) any { return nil })
	for range 300 {
		t := time.Now()
		nop.Invoke()
		fn = append(fn, time.Since(t))
		t = time.Now()
		s, err := c.OpenStream(ctx)
		noErr(err)
		openT = append(openT, time.Since(t))
		t = time.Now()
		noErr(msmux.SelectProtoOrFail("/test/echo", s))
		negT = append(negT, time.Since(t))
		t = time.Now()
		s.Close()
		closeT = append(closeT, time.Since(t))
		s, err = c.OpenStream(ctx)
		noErr(err)
		t = time.Now()
		l := msmux.NewMSSelect(s, "/test/echo")
		l.Write([]byte("hello"))
		var b [5]byte
		l.Read(b[:])
		lazyT = append(lazyT, time.Since(t))
		s.Close()
	}
	pr("func", fn)
	pr("open", openT)
	pr("negotiate", negT)
	pr("lazy echo", lazyT)
	pr("close", closeT)
	ch := make(chan int)
	var hop, tm []time.Duration
	go func() {
		for range ch {
			ch <- 1
		}
	}()
	for range 300 {
		t := time.Now()
		ch <- 1
		<-ch
		hop = append(hop, time.Since(t))
	}
	for range 100 {
		t := time.Now()
		x := time.AfterFunc(time.Hour, func() {})
		x.Stop()
		tm = append(tm, time.Since(t))
	}
	pr("hop", hop)
	pr("timer", tm)
}
