package bridge

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

// fields of an interface of web/kernel.d.ts by name: whether each is optional.
type fields map[string]bool

func (f fields) names() []string { return slices.Sorted(maps.Keys(f)) }

// declarations are the files of the contract.
func declarations(t *testing.T) string {
	t.Helper()
	var all string
	for _, name := range []string{"kernel", "events"} {
		b, err := os.ReadFile("../../web/" + name + ".d.ts")
		require.NoError(t, err)
		all += string(b)
	}
	return all
}

// contract is every interface of web/kernel.d.ts and web/events.d.ts, with what it
// extends.
func contract(t *testing.T) map[string]fields {
	t.Helper()
	text := regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`).ReplaceAllString(declarations(t), "")
	all := map[string]fields{}
	for _, m := range regexp.MustCompile(`(?ms)^export interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}`).FindAllStringSubmatch(text, -1) {
		f := fields{}
		maps.Copy(f, all[m[2]])
		for _, field := range regexp.MustCompile(`(?m)^  (?:readonly )?'?([\w:]+)'?(\??):`).FindAllStringSubmatch(m[3], -1) {
			f[field[1]] = field[2] == "?"
		}
		all[m[1]] = f
	}
	return all
}

// tags are the names under which a view crosses.
func tags(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			names = append(names, tags(f.Type)...)
		} else {
			names = append(names, f.Tag.Get("json"))
		}
	}
	return names
}

func TestRowsAreAsDeclared(t *testing.T) {
	all := contract(t)
	for name, c := range map[string]struct {
		view   any
		others []string // what is no part of the view: bytes, and what the shell adds
	}{
		"Status":          {statusView{}, []string{"phases", "readyMs", "joinedMs"}},
		"MemoryUse":       {memoryView{}, nil},
		"NodeRow":         {nodeView{}, nil},
		"FoundRow":        {foundView{}, nil},
		"CapsuleRow":      {capsuleView{}, nil},
		"CapsuleOffer":    {offerView{}, nil},
		"JobRow":          {jobView{}, nil},
		"Considered":      {consideredView{}, nil},
		"PublishOptions":  {publishArgs{}, nil},
		"SpawnOptions":    {spawnArgs{}, nil},
		"DispatchOptions": {dispatchArgs{}, []string{"input"}},
		"DispatchResult":  {outcomeView{}, []string{"output"}},
		"CallResult":      {callView{}, []string{"output"}},
		"Explanation":     {explanationView{}, nil},
		"DecisionRow":     {decisionView{}, nil},
		"SpanRow":         {spanView{}, nil},
		"BalanceRow":      {balanceView{}, nil},
		"LedgerEntry":     {entryView{}, nil},
		"LedgerReport":    {reportView{}, nil},
		"LifecycleReply":  {replyView{}, nil},
	} {
		require.Contains(t, all, name)
		require.ElementsMatch(t, append(tags(reflect.TypeOf(c.view)), c.others...), all[name].names(), name)
	}
}

// Every event of the kernel and the supervisor is either kept from the page or looks
// as kernel.d.ts says: a field that is always there is not optional, one that is not
// always there is.
func TestEventsAreAsDeclared(t *testing.T) {
	failed := errors.New("?")
	news := func(e supervisor.Event) kernel.Event { return kernel.CapsuleNews{Event: e} }
	events := []kernel.Event{
		kernel.NodeHeard{}, kernel.NodeHeard{New: true}, kernel.NodeGone{}, kernel.PeerConnected{}, kernel.PeerDisconnected{},
		kernel.Joined{}, kernel.Parted{}, kernel.ClockOffset{}, kernel.BooksChanged{}, kernel.BooksChanged{Err: failed}, kernel.JobRejected{Err: failed}, kernel.JobAdmitted{}, kernel.JobPlacedEvent{},
		kernel.JobProgress{}, kernel.JobEnded{}, kernel.JobEnded{Err: failed}, kernel.JobEnded{Outcome: mesh.JobOutcome{Code: mesh.JobCancelled}},
		kernel.Commanded{}, kernel.MiningStop{}, kernel.MiningStart{}, kernel.HostChanged{}, kernel.CapsuleChanged{}, kernel.Throttled{},
		kernel.FidelityChanged{}, kernel.ServiceFailed{}, kernel.Dropped{}, kernel.Fed{}, kernel.CapsuleCredit{Err: failed},
		news(supervisor.CapsuleStarted{}), news(supervisor.CapsuleStateChanged{}), news(supervisor.HeartbeatReceived{}),
		news(supervisor.CongestionChanged{}), news(supervisor.MemoryResized{}), news(supervisor.MemoryRefused{}),
		news(supervisor.CapsuleLogged{}), news(supervisor.PauseOverdue{}), news(supervisor.CapsuleEnded{Err: failed}),
	}
	var known []string
	sent := map[string][]map[string]any{}
	for _, e := range events {
		known = append(known, reflect.TypeOf(e).Name())
		if n, ok := e.(kernel.CapsuleNews); ok {
			known = append(known, reflect.TypeOf(n.Event).Name())
		}
		if v := viewEvent(e, func() int { return 1 }); v != nil {
			sent[v["type"].(string)] = append(sent[v["type"].(string)], v)
		}
	}
	exist := append(inSource(t, "kernel", `\nfunc \((?:\w+ )?(\w+)\) Name\(\) string`), inSource(t, "supervisor", `\nfunc \((\w+)\) supervisorEvent\(\)`)...)
	require.Subset(t, known, exist, "an event that this test does not know")
	for _, v := range []map[string]any{viewHeartbeat("c1"), viewUnreachable(failed)} {
		sent[v["type"].(string)] = []map[string]any{v}
	}

	all := contract(t)
	ofShell := map[string][]string{"log": {"source"}}
	for _, name := range []string{"phase", "shed", "closed", "crashed"} { // the shell's own
		require.Contains(t, all["KernelEvents"], name)
		delete(all["KernelEvents"], name)
	}
	require.Equal(t, slices.Sorted(maps.Keys(sent)), all["KernelEvents"].names())
	for name, views := range sent {
		declared := all[interfaceOf(t, name)]
		require.NotEmpty(t, declared, name)
		times := map[string]int{}
		for _, v := range views {
			for field := range v {
				times[field]++
			}
		}
		require.ElementsMatch(t, append(slices.Collect(maps.Keys(times)), ofShell[name]...), declared.names(), name)
		for field, n := range times {
			if ofShell[name] == nil {
				require.Equal(t, n < len(views), declared[field], "%s.%s: optional", name, field)
			}
		}
	}
}

// interfaceOf is the interface that KernelEvents names for an event's type.
func interfaceOf(t *testing.T, event string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  '?` + regexp.QuoteMeta(event) + `'?: (\w+Event);`).FindStringSubmatch(declarations(t))
	require.NotNil(t, m, event)
	return strings.TrimSpace(m[1])
}

func TestTextOfCutsBetweenCharacters(t *testing.T) {
	require.Equal(t, "é", textOf([]byte("é")))
	require.Equal(t, "ff", textOf([]byte{0xff}))
	long := strings.Repeat("x", 64<<10-1) + "é"
	require.Equal(t, long[:64<<10-1], textOf([]byte(long)))
	require.Equal(t, strings.Repeat("x", 64<<10), textOf([]byte(strings.Repeat("x", 70<<10))))
}

// inSource finds the first group of pattern in the Go files of a package.
func inSource(t *testing.T, dir, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(b, -1) {
			found = append(found, string(m[1]))
		}
	}
	require.NotEmpty(t, found, dir)
	return found
}
