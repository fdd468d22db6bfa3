package kernel

import (
	"sync"
	"sync/atomic"
)

// crew is the copies under way, which Run waits for.
type crew struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (c *crew) start(n int, run func(i int)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	for i := range n {
		c.wg.Go(func() { run(i) })
	}
	return true
}

func (c *crew) wait() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
}

// claim calls its function when the last of those who hold it has dropped it.
type claim struct {
	holders atomic.Int32
	free    func()
}

// newClaim is held once.
func newClaim(free func()) *claim {
	c := &claim{free: free}
	c.holders.Store(1)
	return c
}

// hold is for whoever is handed it by a holder.
func (c *claim) hold() { c.holders.Add(1) }

func (c *claim) drop() {
	if c.holders.Add(-1) == 0 {
		c.free()
	}
}
