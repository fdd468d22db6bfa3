package capsule

import (
	"context"
	"sync"
)

type meteredKey struct{}

// Metered is ctx with somebody who counts what the node does for it: began is called once,
// when the node begins to work on it, by whichever goroutine does. What a start waits for
// before that, such as its turn to be compiled, is not counted.
func Metered(ctx context.Context, began func()) context.Context {
	return context.WithValue(ctx, meteredKey{}, sync.OnceFunc(began))
}

// Begin says that the node works on what ctx is for from now on. A Runtime calls it when a
// compilation begins; who starts an instance calls it before that.
func Begin(ctx context.Context) {
	if began, ok := ctx.Value(meteredKey{}).(func()); ok {
		began()
	}
}
