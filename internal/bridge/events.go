package bridge

import (
	"fmt"

	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

// viewEvent is an event as web/kernel.d.ts has it; nil for one the page does not
// hear of. peers counts the connected peers.
func viewEvent(e kernel.Event, peers func() int) map[string]any {
	v := map[string]any{"type": e.Name(), "at": e.When().UnixMilli()}
	switch e := e.(type) {
	case kernel.Joined:
		v["peerId"], v["peers"] = string(e.Peer), peers()
	case kernel.Parted:
		v["peerId"] = string(e.Peer)
	case kernel.NodeHeard:
		if !e.New {
			return nil
		}
		v["type"], v["peerId"], v["name"], v["gone"] = "node", string(e.Profile.Peer), e.Profile.Name, false
	case kernel.NodeGone:
		v["type"], v["peerId"], v["gone"] = "node", string(e.Node), true
	case kernel.PeerConnected:
		v["type"], v["peerId"], v["connected"] = "peer", string(e.Peer), true
	case kernel.PeerDisconnected:
		v["type"], v["peerId"], v["connected"] = "peer", string(e.Peer), false
	case kernel.ClockOffset:
		v["aheadMs"], v["peers"], v["apart"] = ms(e.Clocks.Ahead), e.Clocks.Peers, e.Clocks.Apart
		v["wrong"], v["message"] = e.Clocks.Wrong(), e.Clocks.String()
	case kernel.JobRejected:
		v["type"], v["id"], v["state"], v["code"] = "job", e.JobID, "rejected", e.Reason
		v["reason"] = errorText(e.Err)
	case kernel.JobAdmitted:
		v["type"], v["id"], v["state"] = "job", e.JobID, "admitted"
	case kernel.JobPlacedEvent:
		v["type"], v["id"], v["state"], v["node"], v["score"], v["attempt"] = "job", e.JobID, "placed", string(e.Node), e.Score, e.Attempt
	case kernel.JobProgress:
		v["type"], v["id"], v["state"], v["done"], v["total"] = "job", e.JobID, "running", e.Progress.Done, e.Progress.Total
	case kernel.JobEnded:
		v["type"], v["id"], v["node"], v["cost"] = "job", e.JobID, string(e.Node), e.Outcome.Cost
		v["state"], v["reason"] = "done", errorText(e.Err)
		switch {
		case e.Outcome.Code == mesh.JobCancelled:
			v["state"] = "cancelled"
		case e.Err != nil:
			v["state"] = "failed"
		}
	case kernel.Commanded:
		v["type"], v["id"], v["command"], v["code"] = "capsule", e.Reply.CapsuleID, e.Command.Type.String(), replyCode(e.Reply.Code)
	case kernel.CapsuleCredit:
		v["type"], v["id"], v["credit"], v["reason"] = "capsule", e.CapsuleID, e.Action, e.Reason
		v["ledger"], v["failed"] = string(e.Ledger), errorText(e.Err)
	case kernel.BooksChanged:
		v["type"], v["level"], v["text"] = "log", "info", "the books can be written again: jobs of others are taken"
		if e.Err != nil {
			v["level"], v["text"] = "error", "the books cannot be written, no jobs of others are taken until they can: "+errorText(e.Err)
		}
	case kernel.ServiceFailed:
		v["type"], v["level"], v["text"] = "log", "error", e.Service+": "+e.Message
	case kernel.MiningStart:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), e.Reason
	case kernel.MiningStop:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), e.Reason
	case kernel.FidelityChanged:
		v["type"], v["message"], v["reason"] = "broadcast", e.Name(), fmt.Sprint(e.Fidelity)
	case kernel.Throttled:
		v["type"], v["message"], v["id"], v["jammed"] = "broadcast", e.Name(), e.Throttle.Capsule, e.Throttle.Jammed
	case kernel.Fed:
		v["type"], v["id"], v["node"], v["from"] = "fed", e.CapsuleID, string(e.Node), string(e.From)
		v["bytes"], v["reason"] = e.Taken, errorText(e.Err)
	case kernel.CapsuleNews:
		return capsuleNews(v, e)
	case kernel.HostChanged, kernel.CapsuleChanged:
		return nil // seen as their consequences
	case kernel.Dropped:
		v["type"], v["level"], v["text"] = "log", "warn", "events were dropped: the page reads too slowly"
		v["count"] = e.Count
	}
	return v
}

// capsuleNews is an event of the supervisor as the page has it.
func capsuleNews(v map[string]any, news kernel.CapsuleNews) map[string]any {
	v["type"] = "capsule"
	switch e := news.Event.(type) {
	case supervisor.CapsuleStarted:
		v["id"], v["name"], v["state"], v["restarts"] = e.ID, e.Name, "started", e.Restarts
	case supervisor.CapsuleStateChanged:
		v["id"], v["state"], v["was"], v["reason"] = e.ID, e.To.String(), e.From.String(), e.Reason
	case supervisor.CongestionChanged:
		v["id"], v["congested"] = e.ID, e.Congested
	case supervisor.CapsuleLogged:
		v["type"], v["level"], v["text"], v["id"] = "log", levelOf(e.Log.Level), e.Log.Text, e.ID
	case supervisor.MemoryResized:
		v["id"], v["memoryBytes"], v["memoryEpoch"] = e.ID, e.To, e.Epoch
	case supervisor.MemoryRefused:
		v["id"], v["refusedBytes"], v["memoryLimit"], v["reason"] = e.ID, e.Wanted, e.Limit, e.Reason
	case supervisor.PauseOverdue:
		v["id"], v["overdue"], v["afterMs"], v["killed"] = e.ID, "pause", ms(e.After), e.Killed
	case supervisor.CapsuleEnded:
		v["id"], v["name"], v["state"], v["reason"], v["restart"] = e.ID, e.Name, "ended", e.Reason, e.Restart
	default:
		return nil
	}
	return v
}

// viewHeartbeat says that a capsule's row is new.
func viewHeartbeat(id string) map[string]any { return map[string]any{"type": "heartbeat", "id": id} }

// viewUnreachable says why this node is alone.
func viewUnreachable(err error) map[string]any {
	return map[string]any{"type": "mesh:unreachable", "code": codeOf(err), "message": err.Error()}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
