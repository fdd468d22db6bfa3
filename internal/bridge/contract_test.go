package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/console"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

// Every event of the kernel and the supervisor is one of the console's, or is kept from the page on
// purpose.
func TestEventsReachThePage(t *testing.T) {
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
	unseen := []string{"HostChanged", "CapsuleChanged", "HeartbeatReceived"} // as their consequences, and as heartbeats
	known := map[string]bool{}
	for _, e := range events {
		name := reflect.TypeOf(e).Name()
		if n, ok := e.(kernel.CapsuleNews); ok {
			known[name] = true
			name = reflect.TypeOf(n.Event).Name()
		}
		known[name] = true
		v := viewEvent(e, func() int { return 1 })
		if heard, ok := e.(kernel.NodeHeard); slices.Contains(unseen, name) || ok && !heard.New {
			require.Nil(t, v, name)
			continue
		}
		require.NotNil(t, v, name)
		text, err := console.Encode(v)
		require.NoError(t, err)
		var sent struct {
			Type string
			At   int64
		}
		require.NoError(t, json.Unmarshal(text, &sent))
		require.NotEmpty(t, sent.Type, "%s has no tag event", name)
		require.Equal(t, e.When().UnixMilli(), sent.At, name)
	}
	for _, name := range slices.Concat(methods(t, "../kernel", "Name"), methods(t, "../supervisor", "supervisorEvent")) {
		require.True(t, known[name], "an event that this test does not know: %s", name)
	}
}

// methods are the types of a package that have a method.
func methods(t *testing.T, dir, method string) (types []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == method {
				if of, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
					types = append(types, of.Name)
				}
			}
		}
	}
	require.NotEmpty(t, types, dir)
	return types
}

// The bounds that stand beside the options are those of the packages that hold them.
func TestBoundsOfOptions(t *testing.T) {
	options := reflect.TypeFor[console.DispatchOptions]()
	for name, most := range map[string]uint64{"Replicas": governance.MaxReplicas, "Agree": governance.MaxReplicas, "DeadlineMs": mostDeadline} {
		f, ok := options.FieldByName(name)
		require.True(t, ok, name)
		require.Equal(t, fmt.Sprint(most), f.Tag.Get("most"), name)
	}
}

func TestTextOfCutsBetweenCharacters(t *testing.T) {
	require.Equal(t, "é", textOf([]byte("é")))
	require.Equal(t, "ff", textOf([]byte{0xff}))
	long := strings.Repeat("x", 64<<10-1) + "é"
	require.Equal(t, long[:64<<10-1], textOf([]byte(long)))
	require.Equal(t, strings.Repeat("x", 64<<10), textOf([]byte(strings.Repeat("x", 70<<10))))
}
