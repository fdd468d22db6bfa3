package kernel

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDbg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.shelf.Accept(testBlob()))
		worker := w.start("worker", func(c *Config) { c.Slots = 3 })
		w.net.SetLatency(home.Self(), worker.Self(), time.Millisecond)
		w.meet(home, worker)
		time.Sleep(time.Minute)
		const jobs = 20
		errs := make(chan error, jobs)
		start := time.Now()
		for i := range jobs {
			go func() {
				sub := submission("x", needs("simd"))
				sub.Job.Args = []string{"1s"}
				o, err := home.Dispatch(context.Background(), sub)
				fmt.Println(time.Since(start), i, err, len(o.Attempts), o.Queued, o.Run)
				errs <- err
			}()
		}
		time.Sleep(30*time.Second)
		n, _ := home.Nodes(t.Context())
		fmt.Printf("%+v\n", n)
		st, _ := worker.Status(t.Context())
		fmt.Printf("%+v\n", st)
		st, _ = home.Status(t.Context())
		fmt.Printf("%+v\n", st)
		js, _ := home.Jobs(t.Context())
		for _, j := range js { fmt.Printf("%+v\n", j) }
		for range jobs {
			<-errs
		}
	})
}
