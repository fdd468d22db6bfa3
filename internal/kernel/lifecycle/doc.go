// Package lifecycle serves the capsules that were spawned on this node: commands to them,
// calls, streams into and out of them, snapshots, and what they cost the ledgers that pay for
// them. Everything is asked for from this node's console or by another node, or asked of
// another node over the mesh. It runs no capsule itself and decides no policy: its interfaces
// name what it needs of the supervisor, the gate, the library and the kernel, which is its
// only caller. Of jobs it has the meter, and the modules that they run.
package lifecycle
