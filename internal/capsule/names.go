package capsule

import "strconv"

func name(names []string, i int, what string) string {
	if i < len(names) {
		return names[i]
	}
	return what + "(" + strconv.Itoa(i) + ")"
}

func (t CommandType) String() string {
	return name([]string{"spawn", "kill", "pause", "resume", "snapshot", "resizeMem", "feed"}, int(t), "command")
}

func (c ReplyCode) String() string {
	return name([]string{"ok", "refused", "unknownCapsule", "invalidState", "badParams", "limit", "deadline", "crashed", "unsupported", "denied"}, int(c), "reply")
}

func (s Status) String() string {
	return name([]string{"starting", "healthy", "degraded", "zombie"}, int(s), "status")
}

func (c RunCode) String() string {
	return name([]string{"ok", "unknownMethod", "badInput", "failed", "noMemory"}, int(c), "run")
}
