package node

import (
	"time"

	"inos/internal/bridge"
	"inos/internal/supervisor"
)

// note keeps the time of a capsule's latest heartbeat, which only people want to
// know, and passes the event on. It runs under the supervisor's lock: it does not
// block and does not call back.
func (n *Node) note(e supervisor.Event) {
	switch e := e.(type) {
	case supervisor.HeartbeatReceived:
		n.mu.Lock()
		n.beats[e.ID] = e.At
		n.mu.Unlock()
		if n.onHeartbeat != nil {
			n.onHeartbeat(e.ID)
		}
	case supervisor.CapsuleEnded:
		if !e.Restart {
			n.mu.Lock()
			delete(n.beats, e.ID)
			n.mu.Unlock()
		}
	}
	n.Kernel.CapsuleEvent(e)
}

// Capsules implements bridge.Lister.
func (n *Node) Capsules() []bridge.CapsuleRow {
	var rows []bridge.CapsuleRow
	for _, c := range n.Kernel.CapsuleList() {
		row := bridge.CapsuleRow{
			ID: c.ID, Name: c.Name, CID: c.CID, State: c.State, Heartbeat: c.Heartbeat, HeartbeatAt: n.beat(c.ID),
			MemoryBytes: c.MemoryBytes, Epoch: c.Epoch, Restarts: c.Restarts, Unheard: c.Unheard,
		}
		if c.LastError != nil {
			row.Reason = c.LastError.Error()
		}
		rows = append(rows, row)
	}
	return rows
}

func (n *Node) beat(id string) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.beats[id]
}
