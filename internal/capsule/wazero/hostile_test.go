package wazero_test

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"capnproto.org/go/capnp/v3"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/supervisor"
	"inos/internal/wire"
	systemv1 "inos/schema/system/v1"
)

// Instructions of the modules written by hand.

// i32 is i32.const.
func i32(n int) []byte {
	out := []byte{0x41}
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// put is an i32.atomic.store.
func put(at, v int) []byte { return slices.Concat(i32(at), i32(v), []byte{0xfe, 0x17, 2, 0}) }

// waitOn is a memory.atomic.wait32 without a timeout on a word that holds 0.
func waitOn(at int) []byte {
	return slices.Concat(i32(at), i32(0), []byte{0x42, 0x7f, 0xfe, 0x01, 2, 0, 0x1a})
}

// frame is one frame of the event ring.
func frame(kind capsule.FrameKind, payload []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	out = binary.LittleEndian.AppendUint32(out, uint32(kind))
	return append(out, append(payload, make([]byte, -len(payload)&7)...)...)
}

// beat is a good first heartbeat.
func beat(t *testing.T) []byte {
	msg, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	require.NoError(t, err)
	h, err := systemv1.NewRootHealthHeartbeat(seg)
	require.NoError(t, err)
	h.SetStatus(systemv1.Status_healthy)
	h.SetMemoryEpoch(1)
	h.SetSequence(1)
	b, err := msg.Marshal()
	require.NoError(t, err)
	return frame(capsule.FrameHeartbeat, b)
}

// words are little-endian 64-bit words.
func words(w ...uint64) (out []byte) {
	for _, v := range w {
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return out
}

// bombs are Cap'n Proto messages that try to cost their reader more than they
// cost their writer.
var bombs = map[string][]byte{
	"four thousand million segments":   words(0x00000001_fffffffe, 0),
	"a segment of 16 GiB":              words(0x7fffffff_00000000, 0),
	"a root that points far at itself": words(0x00000001_00000000, 2),
	// A LogEvent whose text is a list of 2^29-1 elements of no size.
	"amplified text": words(0x00000004_00000000, 0x00010002_00000000, 0, 0, 0xfffffff8_00000001),
	// A struct that contains itself, as deep as one reads.
	"endless nesting":    words(0x00000004_00000000, 0x00010002_00000000, 0, 0, 0x00010000_fffffffc),
	"beyond its segment": words(0x00000001_00000000, 0xffff0001_00000000),
}

// world is a supervisor over wazero, and what it told.
type world struct {
	*supervisor.Supervisor
	ends chan supervisor.CapsuleEnded
}

type shelf map[capsule.CID][]byte

func (s shelf) Get(_ context.Context, cid capsule.CID) ([]byte, capsule.Manifest, error) {
	return s[cid], capsule.Manifest{CID: cid}, nil
}

const testBeat = 50 * time.Millisecond

func newWorld(t *testing.T, capsules ...[]byte) world {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	blobs := shelf{}
	for _, c := range capsules {
		blobs[capsule.SumCID(c)] = c
	}
	w := world{ends: make(chan supervisor.CapsuleEnded, 1000)}
	w.Supervisor, err = supervisor.New(supervisor.Config{
		Runtime: rt, Codec: wire.Capsules{}, Blobs: blobs, Policy: capsule.Temporary,
		Heartbeat: testBeat, DegradedAfter: 10, ZombieAfter: 20, KillAfter: 30,
		StartTimeout: time.Minute, CommandTimeout: time.Minute, CancelGrace: 50 * time.Millisecond,
		Emit: func(e supervisor.Event) {
			if e, ok := e.(supervisor.CapsuleEnded); ok {
				w.ends <- e
			}
		},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = w.Serve(ctx) })
	t.Cleanup(func() {
		stop()
		serving.Wait()
		require.NoError(t, rt.Close())
	})
	r := w.Command(t.Context(), capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: capsules[0]}})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	return w
}

// mapped is the process's address space in bytes; 0 where that is not known.
func mapped() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseUint(strings.Fields(string(b))[0], 10, 64)
	return pages * uint64(os.Getpagesize())
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Whatever a capsule does, the kernel names it, ends it within its deadline,
// goes on serving another, and nothing is left.
func TestHostileCapsules(t *testing.T) {
	hash, fault := built(t, "hash"), built(t, "fault")
	w := newWorld(t, hash, fault)
	good, bad := capsule.SumCID(hash), capsule.SumCID(fault)
	serves := func(t *testing.T) {
		out, err := w.Run(t.Context(), good, supervisor.Limits{}, capsule.Task{Input: []byte("still served")}, nil)
		require.NoError(t, err)
		require.Equal(t, hashed([]byte("still served")), string(out))
	}
	serves(t)
	before, space := goroutines(), mapped()
	heap := heapInUse()

	alive := beat(t)
	idle := waitOn(4096) // a word that nobody notifies
	lies := func(change map[uint32]uint32, events, run []byte) []byte {
		return made{words: healthy(change), events: slices.Concat(alive, events), run: run}.wasm()
	}
	cases := []struct {
		name string
		wasm []byte       // spawned, or:
		task capsule.Task // run on the capsule fault
		time time.Duration
		poke bool // the host must write something to notice
		is   error
		code capsule.ReplyCode // of a spawn that fails
		says string
	}{
		// Refused before they run.
		{name: "not wasm", wasm: []byte("MZ\x90\x00 not a module"), code: capsule.Refused, says: capsule.ErrNotWasm.Error()},
		{name: "cut short", wasm: hash[:len(hash)/2], code: capsule.Refused, says: capsule.ErrNotWasm.Error()},
		{name: "unknown import", wasm: swap(handmade(healthy(nil), forever...), "memory", "memorx"), code: capsule.Refused, says: capsule.ErrUnknownImport.Error()},
		{name: "no shared memory", wasm: swap(handmade(healthy(nil), forever...), "memory\x02\x03", "memory\x02\x01"), code: capsule.Refused, says: capsule.ErrNoSharedMemory.Error()},
		{name: "wrong ABI", wasm: handmade(healthy(map[uint32]uint32{capsule.OffABIVersion: 9}), forever...), code: capsule.Refused, says: "speaks 9, this host 3"},
		{name: "does not validate", wasm: handmade(healthy(nil), 0xff), code: capsule.Refused, says: wazero.ErrCompile.Error()},
		{name: "traps at its start", wasm: made{words: healthy(nil), run: []byte{opUnreachable}, start: true}.wasm(), code: capsule.Refused, says: "unreachable"},
		{name: "loops at its start", wasm: made{words: healthy(nil), run: forever, start: true}.wasm(), code: capsule.Deadline},
		{name: "waits at its start", wasm: made{words: healthy(nil), run: slices.Concat(idle, forever), start: true}.wasm(), code: capsule.Deadline},
		{name: "never ready", wasm: handmade(healthy(nil), forever...), code: capsule.Deadline},
		{name: "wild counters", wasm: handmade(healthy(map[uint32]uint32{capsule.OffEventTail: 1 << 20}), forever...), code: capsule.Crashed, says: capsule.ErrRingBroken.Error()},
		{name: "ring outside", wasm: handmade(healthy(map[uint32]uint32{capsule.OffEventBase: 0xfffff000}), forever...), code: capsule.Refused, says: "outside the"},

		// Lies once they are trusted.
		{name: "head past tail", wasm: lies(nil, nil, slices.Concat(put(1024+capsule.OffCommandHead, 1<<30), forever)), poke: true, is: capsule.ErrRingBroken},
		{name: "head not a multiple of 8", wasm: lies(nil, nil, slices.Concat(put(1024+capsule.OffCommandHead, 3), forever)), poke: true, is: capsule.ErrRingBroken},
		{name: "length past the end", wasm: lies(nil, slices.Concat(frame(capsule.FrameLog, nil)[:4:4], []byte{0xff, 0xff, 0, 0}), forever), is: capsule.ErrProtocol},
		{name: "tail", task: capsule.Task{Method: "lie", Args: []string{"tail"}}, is: capsule.ErrRingBroken},
		{name: "misaligned", task: capsule.Task{Method: "lie", Args: []string{"misaligned"}}, is: capsule.ErrRingBroken},
		{name: "length", task: capsule.Task{Method: "lie", Args: []string{"length"}}, is: capsule.ErrRingBroken},
		{name: "garbage", task: capsule.Task{Method: "lie", Args: []string{"garbage"}}, is: capsule.ErrProtocol},
		{name: "answers to nobody", task: capsule.Task{Method: "lie", Args: []string{"ticket"}}, is: capsule.ErrProtocol},
		{name: "output outside", task: capsule.Task{Method: "lie", Args: []string{"output", "1"}}, is: capsule.ErrProtocol, says: "outside the"},
		{name: "frames that change", task: capsule.Task{Method: "lie", Args: []string{"flicker"}}, says: "capsule: "},

		// Ends of its own.
		{name: "trap", task: capsule.Task{Method: "trap"}, is: capsule.ErrTrap, says: "unreachable"},
		{name: "stack overflow", task: capsule.Task{Method: "overflow"}, is: capsule.ErrTrap, says: "stack overflow"},
		{name: "panic", task: capsule.Task{Method: "panic"}, is: capsule.ErrPanicked, says: "fault/src/lib.rs"},
		{name: "memory grab", task: capsule.Task{Method: "grab"}, is: capsule.ErrRunNoMemory},

		// No end.
		{name: "endless loop", task: capsule.Task{Method: "spin"}, time: 50 * time.Millisecond, is: supervisor.ErrTimeLimit},
		{name: "silence", wasm: lies(nil, nil, forever), is: supervisor.ErrNoHeartbeat},
		{name: "blocked wait", wasm: lies(nil, nil, idle), is: supervisor.ErrNoHeartbeat},
		{name: "a thousand blocked waits", wasm: lies(nil, nil, slices.Repeat(idle, 1000)), is: supervisor.ErrNoHeartbeat},
		{name: "waits everywhere", wasm: lies(nil, nil, waits(3000)), is: capsule.ErrProtocol, says: "1024 words"},
	}
	for name, bomb := range bombs {
		c := cases[0]
		c.name, c.wasm, c.code, c.says, c.is = name, lies(nil, frame(capsule.FrameLog, bomb), forever), 0, "kind 9", capsule.ErrProtocol
		if name == "endless nesting" { // a text that is a struct reads as none: nobody follows it
			c.is, c.says = supervisor.ErrNoHeartbeat, ""
		}
		cases = append(cases, c)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.wasm == nil {
				_, err := w.Run(t.Context(), bad, supervisor.Limits{Time: c.time, MemoryBytes: 64 << 20}, c.task, nil)
				require.Error(t, err)
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.ErrorContains(t, err, c.says)
				serves(t)
				return
			}
			patience := time.Minute
			if c.code == capsule.Deadline {
				patience = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r := w.Command(ctx, capsule.Command{ID: "s", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: c.wasm}})
			require.Equal(t, "s", r.ID)
			if c.code != 0 {
				require.Equal(t, c.code, r.Code, r.Message)
				require.Contains(t, r.Message, c.says)
				serves(t)
				return
			}
			for c.poke && r.Code == capsule.OK {
				r = w.Command(t.Context(), capsule.Command{Type: capsule.ResizeMem, Target: r.CapsuleID,
					Resize: &capsule.ResizeParams{Bytes: 4 * capsule.PageSize}, Deadline: time.Now().Add(testBeat)})
				c.poke = r.Code == capsule.Deadline
				r.Code = capsule.OK
			}
			e := w.ended(t, capsule.SumCID(c.wasm))
			require.ErrorIs(t, e.Err, c.is)
			require.ErrorContains(t, e.Err, c.says)
			serves(t)
		})
	}
	// Pooled instances of the bad capsule may still be up: they end with a command.
	for _, in := range w.List() {
		if in.CID == bad && in.State.Live() {
			w.Command(t.Context(), capsule.Command{Type: capsule.Kill, Target: in.ID})
		}
	}
	require.Empty(t, leaked(before))
	require.Less(t, heapInUse(), heap+32<<20)
	require.Less(t, mapped(), space+512<<20, "a capsule's memory was not let go")
}

// waits waits on n words, each holding something else than expected.
func waits(n int) (out []byte) {
	for i := range n {
		out = append(out, put(20480+4*i, 1)...)
		out = append(out, waitOn(20480+4*i)...)
	}
	return append(out, forever...)
}

// swap replaces the first occurrence of each old text by the new one.
func swap(wasm []byte, oldNew ...string) []byte {
	s := string(wasm)
	for i := 0; i < len(oldNew); i += 2 {
		s = strings.Replace(s, oldNew[i], oldNew[i+1], 1)
	}
	return []byte(s)
}

// ended waits for the end of the capsule cid.
func (w world) ended(t *testing.T, cid capsule.CID) supervisor.CapsuleEnded {
	t.Helper()
	for {
		select {
		case e := <-w.ends:
			if e.CID == cid {
				return e
			}
		case <-t.Context().Done():
			t.Fatal("it was never ended")
		}
	}
}
