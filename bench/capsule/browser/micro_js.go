package main

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/wire"
)

func micro() {
	var w wire.Capsules
	c := capsule.Command{ID: "123", Type: capsule.Resume, Target: "c1", Timestamp: time.Now(), Deadline: time.Now()}
	p, _ := wire.EncodeReply(capsule.Reply{ID: "123", CapsuleID: "c1", Timestamp: time.Now(), MemoryEpoch: 1})
	ch, d := make(chan int), make(chan int)
	go func() {
		for v := range ch {
			d <- v
		}
	}()
	for range 2 {
		for name, f := range map[string]func(){
			"encode": func() { w.Encode(c) },
			"decode": func() { w.Decode(capsule.FrameReply, p) },
			"ctx": func() {
				_, c := context.WithDeadlineCause(context.Background(), time.Now().Add(5*time.Second), nil)
				c()
			},
			"now":   func() { time.Now() },
			"timer": func() { time.NewTimer(5 * time.Second).Stop() },
			"hop":   func() { ch <- 1; <-d },
		} {
			began := time.Now()
			for range 20000 {
				f()
			}
			fmt.Println("MICRO", name, time.Since(began)/20000)
		}
	}
}
