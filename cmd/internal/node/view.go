package node

import (
	"time"

	"inos/internal/console"
	"inos/internal/supervisor"
)

// note records the time of a capsule's latest heartbeat, which is only displayed, and passes the
// event on. It runs under the supervisor's lock: it does not block and does not call back.
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

// Capsules lists the capsules that run here; it implements bridge.Lister.
func (n *Node) Capsules() []console.CapsuleRow {
	var rows []console.CapsuleRow
	for _, c := range n.Kernel.CapsuleList() {
		row := console.CapsuleRow{
			ID: c.ID, Name: c.Name, CID: c.CID, State: c.State, MemoryBytes: c.MemoryBytes, MemoryEpoch: c.Epoch, Restarts: c.Restarts,
			CPUMs: console.Ms(c.Heartbeat.CPUTime), JobsDone: c.Heartbeat.JobsDone, Heartbeats: c.Heartbeat.Sequence,
			Congested: c.Heartbeat.Congested, Unheard: c.Unheard,
		}
		if at := n.beat(c.ID); !at.IsZero() {
			row.HeartbeatAgeMs = console.Ms(time.Since(at))
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
