// Package console is the data of the console API, `inos`: the arguments and answers of its verbs,
// its events, and the page's messages to the kernel. It holds no behaviour. internal/bridge fills
// these structs in and turns them into JavaScript values by their json tags; internal/generate
// makes web/console.d.ts, web/boot.d.ts and web/src/fields.ts from them and from their comments.
//
// A field with omitempty may be absent. A pointer without it is null where nothing is known. Times
// are milliseconds, sizes bytes, money microcredits (1e-6 credit). The tag ts is a TypeScript type,
// where Go's type says less; the tag bytes names a field that crosses as a Uint8Array beside the
// JSON.
package console

import "time"

// Ms is d in milliseconds.
func Ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
