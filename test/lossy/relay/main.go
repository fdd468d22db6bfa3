// Command relay runs one lossy path until it is interrupted, and prints its address. It is for
// trials by hand and for tests that are not Go programs.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"time"

	"inos/test/lossy"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	to := flag.String("to", "", "address of the server")
	var path lossy.Path
	flag.Uint64Var(&path.Seed, "seed", 1, "of the random source")
	flag.Float64Var(&path.Loss, "loss", 0.2, "share of datagrams dropped")
	flag.DurationVar(&path.Least, "least", 100*time.Millisecond, "least delay")
	flag.DurationVar(&path.Most, "most", 300*time.Millisecond, "greatest delay")
	flag.Parse()
	server, err := netip.ParseAddrPort(*to)
	var r *lossy.Relay
	if err == nil {
		r, err = lossy.Listen(*listen, path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r.To(server)
	fmt.Println(r.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()
	_ = r.Close()
	fmt.Fprintf(os.Stderr, "%+v\n", r.Stats())
}
