// Package hostile is what both runtimes must live through: capsules that lie, crash,
// hang, flood and grab, and a test that runs them. It is used by tests only.
package hostile

import (
	"time"

	"inos/internal/capsule"
	"inos/internal/supervisor"
)

// Case is one capsule that does its host no good.
type Case struct {
	Name string

	// A module to spawn: one of capsules/hostile by Name, or Bytes. Or a Task for the
	// capsule fault, if it has a method.
	Bytes []byte
	Task  capsule.Task
	Time  time.Duration // the task's limit; 0 is none

	// How it ends: what answers the spawn, if that fails; else the capsule's end.
	Refused capsule.ReplyCode
	Is      error
	Says    string // in the text of either
	// OnWords is what it ends with instead where the host bounds the words waited on.
	OnWords error
	// Slow is what it may end with instead on a machine that is slow to bring it to its end.
	Slow error
}

func lie(how string, args ...string) capsule.Task {
	return capsule.Task{Method: "lie", Args: append([]string{how}, args...)}
}

// flood is how long a capsule may go on that the host hears without end.
const flood = 300 * time.Millisecond

// Cases are all there are. hash is any good capsule.
func Cases(hash []byte) []Case {
	return []Case{
		// Refused before they run.
		{Name: "not wasm", Bytes: []byte("MZ\x90\x00 not a module"), Refused: capsule.Refused, Says: capsule.ErrNotWasm.Error()},
		{Name: "cut short", Bytes: hash[:len(hash)/2], Refused: capsule.Refused, Says: capsule.ErrNotWasm.Error()},
		{Name: "unknown-import", Refused: capsule.Refused, Says: capsule.ErrUnknownImport.Error()},
		{Name: "own-memory", Refused: capsule.Refused, Says: capsule.ErrNoSharedMemory.Error()},
		{Name: "invalid", Refused: capsule.Refused, Says: "compilation failed"},

		// Never up.
		{Name: "traps-at-start", Refused: capsule.Refused, Says: "unreachable"},
		{Name: "loops-at-start", Refused: capsule.Deadline},
		{Name: "waits-at-start", Refused: capsule.Deadline},
		{Name: "never-boots", Refused: capsule.Deadline},
		{Name: "never-ready", Refused: capsule.Deadline},
		{Name: "wrong-abi", Refused: capsule.Refused, Says: "speaks 9, this host 3"},
		{Name: "ring-outside", Refused: capsule.Refused, Says: "outside the"},
		{Name: "ring-on-block", Refused: capsule.Refused, Says: "overlaps the control block"},
		{Name: "wild-tail", Refused: capsule.Crashed, Says: capsule.ErrRingBroken.Error()},
		{Name: "half-frame", Refused: capsule.Crashed, Says: capsule.ErrRingBroken.Error()},

		// Lies once they are trusted.
		{Name: "head-past-tail", Is: capsule.ErrRingBroken},
		{Name: "head-misaligned", Is: capsule.ErrRingBroken},
		{Name: "length-past-end", Is: capsule.ErrRingBroken},
		{Name: "bomb-segments", Is: capsule.ErrProtocol, Says: "kind 9"},
		{Name: "bomb-long-segment", Is: capsule.ErrProtocol, Says: "kind 9"},
		{Name: "bomb-far-root", Is: capsule.ErrProtocol, Says: "kind 9"},
		{Name: "bomb-amplified", Is: capsule.ErrProtocol, Says: "kind 9"},
		{Name: "bomb-outside", Is: capsule.ErrProtocol, Says: "kind 9"},
		{Name: "bomb-nested", Is: supervisor.ErrNoHeartbeat},
		{Name: "head", Task: lie("head"), Is: capsule.ErrRingBroken, Says: "command ring"},
		{Name: "tail", Task: lie("tail"), Is: capsule.ErrRingBroken, Says: "event ring"},
		{Name: "misaligned", Task: lie("misaligned"), Is: capsule.ErrRingBroken},
		{Name: "length", Task: lie("length"), Is: capsule.ErrRingBroken},
		{Name: "garbage", Task: lie("garbage"), Is: capsule.ErrProtocol},
		{Name: "an answer to nobody", Task: lie("ticket"), Is: capsule.ErrProtocol},
		{Name: "output outside", Task: lie("output", "1"), Is: capsule.ErrProtocol, Says: "outside the"},
		{Name: "frames that change", Task: lie("flicker"), Time: flood, Says: "capsule: "}, // whichever is read first

		// Floods.
		{Name: "log without end", Task: capsule.Task{Method: "chat"}, Time: flood, Is: supervisor.ErrTimeLimit},
		{Name: "heartbeats without end", Task: lie("beats"), Time: flood, Is: supervisor.ErrTimeLimit},
		{Name: "a ring always full", Task: lie("drown"), Time: flood, Is: supervisor.ErrTimeLimit},
		{Name: "a stream without end", Task: capsule.Task{Method: "emit", Args: []string{"1000000000000", "8"}}, Time: flood, Is: supervisor.ErrTimeLimit},

		// Ends of their own.
		{Name: "trap", Task: capsule.Task{Method: "trap"}, Is: capsule.ErrTrap, Says: "unreachable"},
		{Name: "stack overflow", Task: capsule.Task{Method: "overflow"}, Is: capsule.ErrTrap, Says: "stack overflow"},
		{Name: "recursion", Is: capsule.ErrTrap, Says: "stack overflow", Slow: supervisor.ErrNoHeartbeat},
		{Name: "panic", Task: capsule.Task{Method: "panic"}, Is: capsule.ErrPanicked, Says: "fault/src/lib.rs"},
		{Name: "memory grab", Task: capsule.Task{Method: "grab"}, Is: capsule.ErrRunNoMemory},

		// No end.
		{Name: "endless loop", Task: capsule.Task{Method: "spin"}, Time: flood, Is: supervisor.ErrTimeLimit},
		{Name: "doubling", Is: supervisor.ErrNoHeartbeat},
		{Name: "fills", Is: supervisor.ErrNoHeartbeat},
		{Name: "copies", Is: supervisor.ErrNoHeartbeat},
		{Name: "silence", Is: supervisor.ErrNoHeartbeat},
		{Name: "grows", Is: supervisor.ErrNoHeartbeat},
		{Name: "blocked-wait", Is: supervisor.ErrNoHeartbeat},
		{Name: "blocked-waits", Is: supervisor.ErrNoHeartbeat},
		{Name: "waits-everywhere", Is: supervisor.ErrNoHeartbeat, OnWords: capsule.ErrProtocol},
	}
}
