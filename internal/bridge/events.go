package bridge

import (
	"fmt"

	"inos/internal/console"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

// viewEvent is an event in the console's form; nil for one that the page does not get. peers counts
// the connected peers.
func viewEvent(e kernel.Event, peers func() int) console.Event {
	at := console.Moment{At: e.When().UnixMilli()}
	switch e := e.(type) {
	case kernel.Joined:
		return &console.JoinedEvent{Moment: at, PeerID: string(e.Peer), Peers: peers()}
	case kernel.Parted:
		return &console.PartedEvent{Moment: at, PeerID: string(e.Peer)}
	case kernel.NodeHeard:
		if e.New {
			return &console.NodeEvent{Moment: at, PeerID: string(e.Profile.Peer), Name: &e.Profile.Name}
		}
	case kernel.NodeGone:
		return &console.NodeEvent{Moment: at, PeerID: string(e.Node), Gone: true}
	case kernel.PeerConnected:
		return &console.PeerEvent{Moment: at, PeerID: string(e.Peer), Connected: true}
	case kernel.PeerDisconnected:
		return &console.PeerEvent{Moment: at, PeerID: string(e.Peer)}
	case kernel.ClockOffset:
		return &console.ClockEvent{Moment: at, AheadMs: console.Ms(e.Clocks.Ahead), Peers: e.Clocks.Peers, Apart: e.Clocks.Apart,
			Wrong: e.Clocks.Wrong(), Message: e.Clocks.String()}
	case kernel.JobRejected, kernel.JobAdmitted, kernel.JobPlacedEvent, kernel.JobProgress, kernel.JobEnded:
		return viewJobEvent(at, e)
	case kernel.Commanded:
		return &console.CapsuleEvent{Moment: at, ID: e.Reply.CapsuleID, Command: new(e.Command.Type.String()), Code: new(replyCode(e.Reply.Code))}
	case kernel.CapsuleCredit:
		return &console.CapsuleEvent{Moment: at, ID: e.CapsuleID, Credit: &e.Action, Reason: &e.Reason, Ledger: new(string(e.Ledger)),
			Failed: new(errorText(e.Err))}
	case kernel.CapsuleNews:
		return viewCapsuleEvent(at, e.Event)
	case kernel.BooksChanged:
		if e.Err != nil {
			return viewLog(at, "error", "the books cannot be written, no jobs of others are taken until they can: "+errorText(e.Err))
		}
		return viewLog(at, "info", "the books can be written again: jobs of others are taken")
	case kernel.ServiceFailed:
		return viewLog(at, "error", e.Service+": "+e.Message)
	case kernel.Dropped:
		log := viewLog(at, "warn", "events were dropped: the page reads too slowly")
		log.Count = &e.Count
		return log
	case kernel.MiningStart:
		return &console.BroadcastEvent{Moment: at, Message: e.Name(), Reason: &e.Reason}
	case kernel.MiningStop:
		return &console.BroadcastEvent{Moment: at, Message: e.Name(), Reason: &e.Reason}
	case kernel.FidelityChanged:
		return &console.BroadcastEvent{Moment: at, Message: e.Name(), Reason: new(fmt.Sprint(e.Fidelity))}
	case kernel.Throttled:
		return &console.BroadcastEvent{Moment: at, Message: e.Name(), ID: &e.Throttle.Capsule, Jammed: &e.Throttle.Jammed}
	case kernel.Fed:
		return &console.FedEvent{Moment: at, ID: e.CapsuleID, Node: string(e.Node), From: string(e.From), Bytes: e.Taken, Reason: errorText(e.Err)}
	}
	return nil
}

func viewLog(at console.Moment, level, text string) *console.LogEvent {
	return &console.LogEvent{At: at.At, Level: level, Text: text}
}

func viewJobEvent(at console.Moment, e kernel.Event) console.Event {
	switch e := e.(type) {
	case kernel.JobRejected:
		return &console.JobEvent{Moment: at, ID: e.JobID, State: "rejected", Code: &e.Reason, Reason: new(errorText(e.Err))}
	case kernel.JobAdmitted:
		return &console.JobEvent{Moment: at, ID: e.JobID, State: "admitted"}
	case kernel.JobPlacedEvent:
		return &console.JobEvent{Moment: at, ID: e.JobID, State: "placed", Node: new(string(e.Node)), Score: &e.Score, Attempt: &e.Attempt}
	case kernel.JobProgress:
		return &console.JobEvent{Moment: at, ID: e.JobID, State: "running", Done: &e.Progress.Done, Total: &e.Progress.Total}
	case kernel.JobEnded:
		v := &console.JobEvent{Moment: at, ID: e.JobID, State: "done", Node: new(string(e.Node)), Cost: &e.Outcome.Cost, Reason: new(errorText(e.Err))}
		switch {
		case e.Outcome.Code == mesh.JobCancelled:
			v.State = "cancelled"
		case e.Err != nil:
			v.State = "failed"
		}
		return v
	}
	return nil
}

// viewCapsuleEvent is an event of the supervisor in the console's form.
func viewCapsuleEvent(at console.Moment, e supervisor.Event) console.Event {
	switch e := e.(type) {
	case supervisor.CapsuleStarted:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, Name: &e.Name, State: new("started"), Restarts: &e.Restarts}
	case supervisor.CapsuleStateChanged:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, State: new(e.To.String()), Was: new(e.From.String()), Reason: &e.Reason}
	case supervisor.CongestionChanged:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, Congested: &e.Congested}
	case supervisor.CapsuleLogged:
		log := viewLog(at, levelOf(e.Log.Level), e.Log.Text)
		log.ID = &e.ID
		return log
	case supervisor.MemoryResized:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, MemoryBytes: &e.To, MemoryEpoch: &e.Epoch}
	case supervisor.MemoryRefused:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, RefusedBytes: &e.Wanted, MemoryLimit: &e.Limit, Reason: &e.Reason}
	case supervisor.PauseOverdue:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, Overdue: new("pause"), AfterMs: new(console.Ms(e.After)), Killed: &e.Killed}
	case supervisor.CapsuleEnded:
		return &console.CapsuleEvent{Moment: at, ID: e.ID, Name: &e.Name, State: new("ended"), Reason: &e.Reason, Restart: &e.Restart}
	}
	return nil
}

// viewHeartbeat says that a capsule's row has changed.
func viewHeartbeat(id string) console.Event { return &console.HeartbeatEvent{ID: id} }

// viewUnreachable says why this node has no peer.
func viewUnreachable(err error) console.Event {
	return &console.UnreachableEvent{Code: codeOf(err), Message: err.Error()}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
