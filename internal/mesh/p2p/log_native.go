//go:build !js

package p2p

import (
	"log/slog"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
)

// Log sends what libp2p says of itself to h, which decides from which level on; nil:
// nowhere. What matters of it this package's errors and events say. It is for the
// program's start, before New, and holds for the whole process.
func Log(h slog.Handler) {
	level := golog.LevelWarn // kad-dht and pubsub write by themselves
	if h == nil {
		h, level = slog.DiscardHandler, golog.LevelFatal
	}
	gologshim.SetDefaultHandler(h)
	golog.SetAllLoggers(level)
}
