// Package serve gives a packed shell (scripts/pack.mjs) to browsers over HTTP:
// cross-origin isolated, compressed ahead of time, cached by content, and with
// /inos.json, which tells a page where the kernel and the mesh are. It serves
// nothing that was not in the folder when it started, and knows nothing of the
// mesh: its caller supplies the addresses. cmd/inos is that caller.
package serve
