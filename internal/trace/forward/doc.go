// Package forward sends a browser's spans to a native node that exports them, since a browser
// cannot export. A Forwarder sends them, a Receiver takes them.
package forward
