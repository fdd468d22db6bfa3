//go:build !js

package p2p

import (
	"log/slog"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
)

// Log sends libp2p's own log to h, which decides the level; nil discards it. This package's errors
// and events report what matters of it. Call it at the program's start, before New; it holds for
// the whole process.
func Log(h slog.Handler) {
	level := golog.LevelWarn // kad-dht and pubsub write by themselves
	if h == nil {
		h, level = slog.DiscardHandler, golog.LevelFatal
	}
	gologshim.SetDefaultHandler(h)
	golog.SetAllLoggers(level)
}
