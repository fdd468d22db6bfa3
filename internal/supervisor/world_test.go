package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// world is a Supervisor that serves, with a fake runtime under it. It lives in
// a synctest bubble.
type world struct {
	t  testing.TB
	rt *fakeRuntime
	s  *Supervisor

	mu     sync.Mutex
	events []Event
	stop   func()
}

var errNoBlob = errors.New("no such blob")

// Get makes blobs on demand: the CID of "wasm TEXT" is all one needs to know.
func (w *world) Get(ctx context.Context, cid capsule.CID) ([]byte, capsule.Manifest, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wasm, ok := blobs[cid]
	if !ok {
		return nil, capsule.Manifest{}, errNoBlob
	}
	return []byte(wasm), capsule.Manifest{CID: cid, Name: wasm, MemoryLimit: 8 * capsule.PageSize, TimeLimit: time.Minute}, nil
}

var blobs = map[capsule.CID]string{}

// wasm makes a capsule of words (see program.main) that Blobs has.
func wasm(text string) capsule.CID {
	text = "wasm " + text
	cid := capsule.SumCID([]byte(text))
	blobs[cid] = text
	return cid
}

var (
	good     = wasm("good")
	other    = wasm("good, another")
	third    = wasm("good, a third")
	silent   = wasm("silent")
	dies     = wasm("dies")
	returns  = wasm("returns")
	sick     = wasm("sick")
	crowded  = wasm("crowded")
	hungry   = wasm("hungry")
	greedy   = wasm("greedy")
	cramped  = wasm("cramped")
	restless = wasm("restless")
	lingers  = wasm("lingers")
	nothing  = capsule.SumCID([]byte("nobody has this"))
	lying    = func() capsule.CID {
		cid := capsule.SumCID([]byte("the real one"))
		blobs[cid] = "wasm other bytes"
		return cid
	}()
)

func newWorld(t testing.TB, cfg Config) *world {
	w := newWorldAtRest(t, cfg)
	w.serve()
	return w
}

// newWorldAtRest is newWorld before Serve.
func newWorldAtRest(t testing.TB, cfg Config) *world {
	w := &world{t: t, rt: &fakeRuntime{}}
	cfg.Runtime, cfg.Codec, cfg.Blobs = w.rt, capsules.JSONCodec{}, w
	cfg.Emit = func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	var err error
	w.s, err = New(cfg)
	require.NoError(t, err)
	return w
}

func (w *world) serve() {
	t := w.t
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.s.Serve(ctx) }()
	synctest.Wait()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			require.ErrorIs(t, <-served, context.Canceled)
			running, _ := w.rt.counts()
			require.Zero(t, running, "instances left after Serve")
			for _, in := range w.s.List() {
				require.False(t, in.State.Live(), "%s is %s", in.ID, in.State)
			}
		})
	}
}

// bubble runs f in a synctest bubble with a world that is checked at the end.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg)
		defer w.stop()
		f(t, w)
	})
}

var commandIDs int

func (w *world) command(cmd capsule.Command) capsule.Reply {
	commandIDs++
	cmd.ID = fmt.Sprintf("cmd-%d", commandIDs)
	r := w.s.Command(context.Background(), cmd)
	require.Equal(w.t, cmd.ID, r.ID)
	require.False(w.t, r.Timestamp.IsZero())
	return r
}

func (w *world) trySpawn(cid capsule.CID) capsule.Reply {
	return w.command(capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: cid.String()}})
}

func (w *world) spawn(cid capsule.CID) string {
	w.t.Helper()
	return w.spawnWith(capsule.SpawnParams{CID: cid.String()})
}

func (w *world) spawnWith(p capsule.SpawnParams) string {
	w.t.Helper()
	r := w.command(capsule.Command{Type: capsule.Spawn, Spawn: &p})
	require.Equal(w.t, capsule.OK, r.Code, r.Message)
	return r.CapsuleID
}

func (w *world) to(id string, t capsule.CommandType) capsule.Reply {
	cmd := capsule.Command{Type: t, Target: id}
	if t == capsule.ResizeMem {
		cmd.Resize = &capsule.ResizeParams{Bytes: 2 * capsule.PageSize}
	}
	return w.command(cmd)
}

func (w *world) info(id string) Info {
	for _, in := range w.s.List() {
		if in.ID == id {
			return in
		}
	}
	return Info{}
}

func (w *world) run(cid capsule.CID, method string, args ...string) (string, error) {
	out, err := w.s.Run(context.Background(), cid, Limits{}, capsule.Task{Method: method, Args: args, Input: []byte("input")}, nil)
	return string(out), err
}

// call is run on the very capsule called id.
func (w *world) call(id, method string, args ...string) (string, error) {
	out, err := w.s.Call(context.Background(), id, 0, capsule.Task{Method: method, Args: args, Input: []byte("input")}, nil)
	return string(out), err
}

// story is the events of one capsule but its heartbeats, a word each.
func (w *world) story(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var words []string
	for _, e := range w.events {
		switch e := e.(type) {
		case CapsuleStarted:
			if e.ID == id {
				words = append(words, "started")
			}
		case CapsuleStateChanged:
			if e.ID == id {
				words = append(words, e.To.String())
			}
		case CapsuleEnded:
			if e.ID == id && e.Restart {
				words = append(words, "again")
			} else if e.ID == id {
				words = append(words, "ended")
			}
		}
	}
	return strings.Join(words, " ")
}

// ends are the CapsuleEnded events of one capsule.
func (w *world) ends(id string) (out []CapsuleEnded) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e, ok := e.(CapsuleEnded); ok && e.ID == id {
			out = append(out, e)
		}
	}
	return out
}
