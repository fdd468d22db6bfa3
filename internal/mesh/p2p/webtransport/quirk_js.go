package webtransport

import (
	"bytes"
	"strings"
	"syscall/js"

	"inos/internal/jsinterop"
)

// Firefox (seen in 153) throws away what it has received and the page has not
// read when the peer sends STOP_SENDING. go-libp2p's Close sends it, in the same
// packet as the end of the answer, unless this side has ended the stream first.
// Our own nodes wait for that (see p2p's delayedStop); others do not, and their
// identify answers, without which no directory takes them in, would be lost.
var stopDiscards = strings.Contains(jsinterop.Text(js.Global().Get("navigator"), "userAgent"), "Firefox/")

// identifyLine ends what the opener of an identify stream has to say, which is the
// negotiation of it and no more than openingBytes.
var identifyLine = []byte("/ipfs/id/1.0.0\n")

const openingBytes = 64

// lastWords reports whether p is known to be the last that the opener of a stream
// writes; sent counts all that it has written.
func lastWords(p []byte, sent int) bool {
	return stopDiscards && sent <= openingBytes && bytes.HasSuffix(p, identifyLine)
}
