package bridge

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/console"
	"inos/internal/fault"
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
	p, err := spawnParams(console.SpawnOptions{Args: []string{"a"}, Restart: "permanent", Group: "g", Strategy: "rest-for-one"}, cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Args: []string{"a"}, Restart: capsule.Permanent, Group: "g", Strategy: capsule.RestForOne}, p)
	p, err = spawnParams(console.SpawnOptions{Restart: "temporary", Group: "g", Strategy: "one-for-one"}, cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Restart: capsule.Temporary, Group: "g"}, p)
	p, err = spawnParams(console.SpawnOptions{Group: "g"}, cid)
	require.NoError(t, err)
	require.Equal(t, &capsule.SpawnParams{CID: cid.String(), Group: "g"}, p)
	for says, a := range map[string]console.SpawnOptions{
		"options.restart": {Restart: "always"}, "options.strategy": {Group: "g", Strategy: "all"}, "options.group": {Strategy: "one-for-one"},
	} {
		_, err := spawnParams(a, cid)
		require.ErrorContains(t, err, says)
		require.Equal(t, errBadArgument.Code(), codeOf(err))
	}
}

// What is no whole number from 1 on is an error that says so: 0 is never a way to say
// that there is no limit.
func TestFiguresOfADispatch(t *testing.T) {
	for _, field := range []string{"budget", "maxCost", "deadlineMs", "replicas", "agree"} {
		for _, bad := range []string{"0", "-0", "-1", "1.5", "1e3", "1e400", "null", `"8"`, `""`, "true", "[1]", "{}", "18446744073709551616", "9007199254740992"} {
			var d console.DispatchOptions
			require.NoError(t, json.Unmarshal([]byte(`{"`+field+`":`+bad+`}`), &d))
			err := checkCounts("dispatch", "job", d)
			require.ErrorContains(t, err, "dispatch: job."+field+": expected a whole number of", bad)
			require.ErrorContains(t, err, "leave it out for")
			require.Equal(t, errBadArgument.Code(), codeOf(err))
		}
		var d console.DispatchOptions
		require.NoError(t, json.Unmarshal([]byte(`{"`+field+`":3}`), &d))
		require.NoError(t, checkCounts("dispatch", "job", d))
	}
	var d console.DispatchOptions
	require.NoError(t, json.Unmarshal([]byte(`{"capsule":"hash"}`), &d))
	require.NoError(t, checkCounts("dispatch", "job", d))
	now := time.Now()
	require.Zero(t, orderOf(d, capsule.SumCID(nil), "", now).Deadline, "no deadline unless somebody wants one")
	require.NoError(t, json.Unmarshal([]byte(`{"deadlineMs":8000,"budget":7,"maxCost":5,"replicas":3,"agree":2}`), &d))
	o := orderOf(d, capsule.SumCID(nil), "", now)
	require.Equal(t, now.Add(8*time.Second), o.Deadline)
	require.EqualValues(t, 7, o.Budget)
	require.EqualValues(t, 5, o.Requirements.MaxCost)
	require.EqualValues(t, 3, o.Replicas)
	require.EqualValues(t, 2, o.Agree)
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
		e := fault.Find(replyError(c.reply))
		require.Equal(t, c.code, e.Code())
		require.Equal(t, c.again, e.Retryable(), c.code)
	}
}
