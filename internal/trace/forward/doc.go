// Package forward takes a browser's spans to a native node that exports them: a browser
// cannot export. A Forwarder sends them, a Receiver takes them.
package forward
