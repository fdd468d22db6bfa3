// Package serve serves a packed shell (scripts/pack.mjs) to browsers over HTTP: cross-origin
// isolated, compressed ahead of time and cached by content. /inos.json tells a page where the
// kernel and the mesh are. It serves only what was in the folder when it started. It knows
// nothing of the mesh: its caller, cmd/inos, supplies the addresses.
package serve
