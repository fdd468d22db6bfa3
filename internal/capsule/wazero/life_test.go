package wazero_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// start runs a task in the background and returns once it reports progress.
func start(t *testing.T, c *capsule.Capsule, task capsule.Task) <-chan error {
	t.Helper()
	return startFor(context.Background(), t, c, task)
}

func startFor(ctx context.Context, t *testing.T, c *capsule.Capsule, task capsule.Task) <-chan error {
	t.Helper()
	progress, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		_, err := c.Run(ctx, task, func(capsule.Progress) { once.Do(func() { close(progress) }) })
		ended <- err
	}()
	select {
	case <-progress:
	case err := <-ended:
		t.Fatalf("ended before its first progress: %v", err)
	}
	return ended
}

func TestAHundredSpawnsAtOnce(t *testing.T) {
	rt := sharedRuntime(t)
	mod := compile(t, rt, capsules.Built(t, "hash"))
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 100 {
		all.Go(func() {
			c, err := capsule.Open(t.Context(), mod, capsule.Config{ID: fmt.Sprint(i), Codec: wire.Capsules{}, MemoryLimit: 16 << 20})
			if err != nil {
				errs <- err
				return
			}
			input := random(i * 1000)
			out, err := c.Run(t.Context(), capsule.Task{Input: input}, nil)
			if err == nil && string(out) != hashed(input) {
				err = fmt.Errorf("wrong digest of %d bytes", len(input))
			}
			c.Kill(errors.New("done"))
			<-c.Done()
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

func TestParallelTasksOfOneCapsule(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "hash")), capsule.Config{MaxTasks: 8})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			input := random(i*997 + 1)
			out, err := c.Run(t.Context(), capsule.Task{Input: input}, nil)
			if err != nil || string(out) != hashed(input) {
				t.Errorf("task %d: %q, %v", i, out, err)
			}
		})
	}
	all.Wait()
	require.Zero(t, c.Pending())
}

// However a capsule is killed, whatever it does, it ends, says so, and leaves
// nothing behind.
func TestKill(t *testing.T) {
	rt := sharedRuntime(t)
	mod := compile(t, rt, capsules.Built(t, "fault"))
	for _, method := range []string{"work", "spin"} {
		t.Run(method, func(t *testing.T) {
			c := open(t, mod, capsule.Config{})
			ended := start(t, c, capsule.Task{Method: method})
			c.Kill(errors.New("the test says so"))
			require.ErrorIs(t, <-ended, capsule.ErrKilled)
			<-c.Done()
			require.ErrorIs(t, c.Err(), capsule.ErrKilled)
			require.ErrorContains(t, c.Err(), "the test says so")
			_, err := c.Run(t.Context(), capsule.Task{}, nil)
			require.ErrorIs(t, err, capsule.ErrKilled)
			reply, err := c.Command(t.Context(), capsule.Command{ID: "late", Type: capsule.Pause})
			require.ErrorIs(t, err, capsule.ErrKilled)
			require.Equal(t, capsule.Crashed, reply.Code)
			require.Equal(t, "late", reply.ID)
		})
	}
	t.Run("idle", func(t *testing.T) {
		c := open(t, mod, capsule.Config{})
		c.Kill(nil)
		<-c.Done()
		require.ErrorIs(t, c.Err(), capsule.ErrKilled)
	})
	t.Run("command with grace", func(t *testing.T) {
		c := open(t, mod, capsule.Config{})
		ended := start(t, c, capsule.Task{Method: "work"})
		reply, err := c.Command(t.Context(), capsule.Command{ID: "k", Type: capsule.Kill,
			Kill: &capsule.KillParams{Reason: "enough", Grace: 20 * time.Millisecond}})
		require.NoError(t, err)
		require.Equal(t, capsule.OK, reply.Code)
		<-c.Done()
		require.Error(t, <-ended)
		require.ErrorContains(t, c.Err(), "enough")
	})
}

func TestAllGoroutinesEnd(t *testing.T) {
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	mod := compile(t, rt, capsules.Built(t, "fault"))
	before := goroutines()
	for _, method := range []string{"work", "spin"} {
		c := open(t, mod, capsule.Config{})
		ended := start(t, c, capsule.Task{Method: method})
		c.Kill(nil)
		<-c.Done()
		<-ended
	}
	idle := open(t, mod, capsule.Config{})
	require.NoError(t, rt.Close())
	<-idle.Done()
	require.Empty(t, leaked(before))
	_, err = mod.Instantiate(t.Context(), 1, 0)
	require.ErrorIs(t, err, wazero.ErrClosed)
	_, err = rt.Compile(t.Context(), capsules.Built(t, "fault"))
	require.ErrorIs(t, err, wazero.ErrClosed)
}

// goroutines lists the stacks of all other goroutines that run this project's code.
func goroutines() []string {
	buf := make([]byte, 1<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return slices.DeleteFunc(all[1:], func(s string) bool { return !strings.Contains(s, "inos/internal/capsule") })
}

// leaked waits for goroutines that are about to return, and gives up only when
// their number stays above what it was.
func leaked(before []string) []string {
	var now []string
	for range 1000 {
		if now = goroutines(); len(now) <= len(before) {
			return nil
		}
		runtime.Gosched()
	}
	return now
}

func TestPanicCarriesMessageAndLocation(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{})
	_, err := c.Run(t.Context(), capsule.Task{Method: "panic"}, nil)
	var p *capsule.PanicError
	require.ErrorAs(t, err, &p)
	require.Regexp(t, `^fault/src/lib\.rs:\d+:\d+: on demand: ünïcode and all$`, p.Message)
	<-c.Done()
	require.ErrorIs(t, c.Err(), capsule.ErrPanicked)
	require.ErrorIs(t, c.Err(), capsule.ErrTrap)
}

func TestTrapsAreNamed(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "fault"))
	for _, method := range []string{"trap", "overflow"} {
		t.Run(method, func(t *testing.T) {
			c := open(t, mod, capsule.Config{})
			_, err := c.Run(t.Context(), capsule.Task{Method: method}, nil)
			require.ErrorIs(t, err, capsule.ErrTrap)
			<-c.Done()
			require.ErrorIs(t, c.Err(), capsule.ErrTrap)
			t.Log(c.Err())
		})
	}
}

func TestALyingCapsuleIsNamedAndKilled(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "fault"))
	for _, lie := range []struct {
		args []string
		is   error
	}{
		{[]string{"tail"}, capsule.ErrRingBroken},
		{[]string{"misaligned"}, capsule.ErrRingBroken},
		{[]string{"length"}, capsule.ErrRingBroken},
		{[]string{"garbage"}, capsule.ErrProtocol},
		{[]string{"ticket"}, capsule.ErrProtocol},
		{[]string{"output", "1"}, capsule.ErrProtocol},
	} {
		t.Run(lie.args[0], func(t *testing.T) {
			c := open(t, mod, capsule.Config{})
			_, err := c.Run(t.Context(), capsule.Task{Method: "lie", Args: lie.args}, nil)
			require.ErrorIs(t, err, lie.is)
			<-c.Done()
			require.ErrorIs(t, c.Err(), lie.is)
			t.Log(c.Err())
		})
	}
	t.Run("head", func(t *testing.T) {
		c := open(t, mod, capsule.Config{})
		ended := start(t, c, capsule.Task{Method: "lie", Args: []string{"head"}})
		// The host looks at the head when it next runs out of room.
		var err error
		for err == nil {
			err = c.Send(t.Context(), make([]byte, 8<<10))
		}
		require.ErrorIs(t, err, capsule.ErrRingBroken)
		require.ErrorIs(t, <-ended, capsule.ErrRingBroken)
	})
}

func TestPauseAndResume(t *testing.T) {
	beats := make(chan capsule.Heartbeat, 1000)
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{OnHeartbeat: func(h capsule.Heartbeat) { beats <- h }})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := startFor(ctx, t, c, capsule.Task{Method: "count", Args: []string{"1000000000000"}})
	reply, err := c.Command(t.Context(), capsule.Command{ID: "p", Type: capsule.Pause})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, reply.Code)
	require.Equal(t, "p", reply.ID)
	require.EqualValues(t, 1, reply.MemoryEpoch)
	for h := range beats {
		if h.Paused {
			break
		}
	}
	// Paused, it still answers, and a new job waits.
	reply, err = c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, reply.Code)
	second := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), capsule.Task{Method: "echo"}, nil)
		second <- err
	}()
	for h := range beats {
		if h.Paused && c.Pending() == 2 {
			break
		}
	}
	select {
	case <-ended:
		t.Fatal("a paused capsule ended its job")
	case <-second:
		t.Fatal("a paused capsule took a job")
	default:
	}
	_, err = c.Command(t.Context(), capsule.Command{Type: capsule.Resume})
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, <-second)
}

func TestResizeMem(t *testing.T) {
	beats := make(chan capsule.Heartbeat, 1000)
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{
		Epoch: 7, MemoryLimit: 8 << 20, OnHeartbeat: func(h capsule.Heartbeat) { beats <- h },
	})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), capsule.Task{Method: "hunger", Args: []string{"4194304"}}, nil)
		ended <- err
	}()
	for h := range beats {
		if h.NeedsMoreMem {
			require.EqualValues(t, 4<<20, h.WantedBytes)
			require.Equal(t, capsule.Degraded, h.Status)
			break
		}
	}
	resize := func(bytes uint64) capsule.Reply {
		reply, err := c.Command(t.Context(), capsule.Command{ID: "r", Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: bytes}})
		require.NoError(t, err)
		return reply
	}
	require.Equal(t, capsule.Limit, resize(8<<20+1).Code)
	require.Equal(t, capsule.Refused, resize(1).Code)
	reply := resize(4 << 20)
	require.Equal(t, capsule.OK, reply.Code)
	require.EqualValues(t, 4<<20, reply.MemoryBytes)
	require.EqualValues(t, 8, reply.MemoryEpoch)
	require.NoError(t, <-ended)
	for h := range beats {
		if h.MemoryEpoch == 8 && !h.NeedsMoreMem {
			break
		}
	}
	// The heap finds the pages it was given, and takes no more than there is.
	_, err := c.Run(t.Context(), capsule.Task{Method: "grab"}, nil)
	require.ErrorIs(t, err, capsule.ErrRunNoMemory)
	require.Regexp(t, `[67] MiB taken of [78]`, err.Error())
	_, err = c.Run(t.Context(), capsule.Task{Method: "echo", Input: make([]byte, 16<<20)}, nil)
	require.ErrorIs(t, err, capsule.ErrRunNoMemory)
}

func TestCancelFreesTheCapsule(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{MaxTasks: 2})
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := c.Run(ctx, capsule.Task{Method: "work", Input: make([]byte, 1000)}, func(capsule.Progress) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
	}
	out, err := c.Run(t.Context(), capsule.Task{Input: []byte("still here")}, nil)
	require.NoError(t, err)
	require.Equal(t, "still here", string(out))
}

func TestUnknownMethodNamesThoseThereAre(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "hash")), capsule.Config{})
	_, err := c.Run(t.Context(), capsule.Task{Method: "md5"}, nil)
	require.ErrorIs(t, err, capsule.ErrUnknownMethod)
	require.ErrorContains(t, err, "both, sha256, blake3")
}

func TestAStreamIsMirroredInOrder(t *testing.T) {
	const frames = 5000
	got := make(chan byte, frames)
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{OnData: func(p []byte) {
		if len(p) == 1000 {
			got <- p[0]
		}
	}})
	frame := make([]byte, 1000)
	for i := range frames {
		frame[0] = byte(i)
		require.NoError(t, c.Send(t.Context(), frame))
	}
	for i := range frames {
		require.Equal(t, byte(i), <-got)
	}
	require.ErrorIs(t, c.Send(t.Context(), make([]byte, 1<<20)), capsule.ErrFrameTooLarge)
}

func TestLogs(t *testing.T) {
	logs := make(chan capsule.Log, 10)
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{OnLog: func(l capsule.Log) { logs <- l }})
	_, err := c.Run(t.Context(), capsule.Task{Args: []string{"one", "two"}}, nil)
	require.NoError(t, err)
	require.Equal(t, capsule.Log{Text: "one", Ticket: 1}, <-logs)
	require.Equal(t, capsule.Log{Text: "two", Ticket: 1}, <-logs)
}

// Progress is heard ten times a second at most, however much of it a capsule says: it is no way
// to bring a result home.
func TestProgressIsPaced(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{})
	began, heard := time.Now(), 0
	_, err := c.Run(t.Context(), capsule.Task{Method: "count", Args: []string{"200000"}}, func(capsule.Progress) { heard++ })
	require.NoError(t, err)
	require.Positive(t, heard)
	require.LessOrEqual(t, heard, 1+int(time.Since(began)/(100*time.Millisecond)))
}
