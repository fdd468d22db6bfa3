package bridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
)

func TestCapsuleAddresses(t *testing.T) {
	for _, c := range []struct {
		address string
		node    identity.PeerID
		id      string
	}{{"c1", "", "c1"}, {"12D3Koo/c1", "12D3Koo", "c1"}, {"12D3Koo/", "12D3Koo", ""}, {"", "", ""}} {
		node, id := capsuleAddress(c.address)
		require.Equal(t, c.node, node)
		require.Equal(t, c.id, id)
		if id != "" {
			require.Equal(t, c.address, addressOf(node, "self", id))
		}
	}
	require.Equal(t, "c1", addressOf("self", "self", "c1"))
}

func TestSpawnOptions(t *testing.T) {
	cid := capsule.SumCID(nil)
	p, err := spawnArgs{Args: []string{"a"}, Restart: "permanent", Group: "g", Strategy: "rest-for-one"}.params(cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Args: []string{"a"}, Restart: capsule.Permanent, Group: "g", Strategy: capsule.RestForOne}, p)
	p, err = spawnArgs{Restart: "temporary", Group: "g", Strategy: "one-for-one"}.params(cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Restart: capsule.Temporary, Group: "g"}, p)
	p, err = spawnArgs{Group: "g"}.params(cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Group: "g"}, p)
	for says, a := range map[string]spawnArgs{
		"options.restart": {Restart: "always"}, "options.strategy": {Group: "g", Strategy: "all"}, "options.group": {Strategy: "one-for-one"},
	} {
		_, err := a.params(cid)
		require.ErrorContains(t, err, says)
		require.Equal(t, CodeBadArgument, codeOf(err))
	}
}

func TestLevelsOfACapsulesLog(t *testing.T) {
	for level, name := range map[int8]string{-128: "debug", -4: "debug", -1: "debug", 0: "info", 3: "info", 4: "warn", 7: "warn", 8: "error", 127: "error"} {
		require.Equal(t, name, levelOf(level), level)
	}
}

func TestReplyErrors(t *testing.T) {
	for _, c := range []struct {
		reply capsule.Reply
		code  string
		again bool
	}{
		{capsule.Reply{Code: capsule.Refused}, "refused", false},
		{capsule.Reply{Code: capsule.Refused, Reason: "busy"}, "busy", true},
		{capsule.Reply{Code: capsule.Denied, Reason: "capability_denied"}, "capability_denied", false},
		{capsule.Reply{Code: capsule.Denied, Reason: "<script>"}, "denied", false},
		{capsule.Reply{Code: capsule.Deadline}, "deadline", true},
	} {
		code, again := verdict(replyError(c.reply))
		require.Equal(t, c.code, code)
		require.Equal(t, c.again, again, code)
	}
}
