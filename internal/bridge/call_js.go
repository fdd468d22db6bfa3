package bridge

import (
	"context"
	"syscall/js"

	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
)

// callCapsule answers inos.call(capsuleId, method, input, args) with the output of that instance,
// here or on another node. Only its spawner may call it.
func (a *api) callCapsule(ctx context.Context, args []js.Value) (any, error) {
	address, err := text("call", "capsuleId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	method, err := text("call", "method", arg(args, 1))
	if err != nil {
		return nil, err
	}
	input, err := bytesFromJS("call", "input", arg(args, 2))
	if err != nil {
		return nil, err
	}
	task := capsule.Task{Method: method, Input: input}
	if list := arg(args, 3); list.Type() == js.TypeObject {
		for i := range list.Length() {
			v := list.Index(i)
			if v.Type() != js.TypeString {
				return nil, badArgument("call", "args", "an array of strings", kindOf(v))
			}
			task.Args = append(task.Args, v.String())
		}
	}
	node, id := capsuleAddress(address)
	out, err := a.cfg.Kernel.Call(ctx, node, id, task, lifecycle.CallOptions{DNA: governance.Metadata{ModuleID: "inos.console"}})
	if err != nil {
		return nil, err
	}
	return console.CallResult{CapsuleID: address, Output: out.Output, Text: textOf(out.Output), RunMs: console.Ms(out.Run)}, nil
}
