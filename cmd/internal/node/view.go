package node

import "inos/internal/bridge"

// Capsules implements bridge.Lister.
func (n *Node) Capsules() []bridge.CapsuleRow {
	names := map[string]string{}
	for _, e := range n.Library.List() {
		names[e.CID] = e.Name
	}
	var rows []bridge.CapsuleRow
	for _, c := range n.direct.List() {
		rows = append(rows, bridge.CapsuleRow{ID: c.ID, Name: names[c.CID], CID: c.CID, State: c.State, Heartbeat: c.Heartbeat})
	}
	return rows
}
