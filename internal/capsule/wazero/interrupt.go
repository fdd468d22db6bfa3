package wazero

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"inos/internal/capsule/instrument"
)

// provideInterrupt instantiates what every instrumented module calls at short intervals: its call ends
// with the context that it runs on. The call is also where Go can stop the thread, which
// it cannot within compiled code. Errors are wazero's.
func provideInterrupt(rt wazero.Runtime) error {
	interrupt := func(ctx context.Context, _ []uint64) {
		if ctx.Err() != nil {
			panic(context.Cause(ctx))
		}
	}
	_, err := rt.NewHostModuleBuilder(instrument.ImportModule).
		NewFunctionBuilder().WithGoFunction(api.GoFunc(interrupt), nil, nil).Export(instrument.ImportName).
		Instantiate(context.Background())
	if err != nil {
		return fmt.Errorf("capsule/wazero: %w", err)
	}
	return nil
}
