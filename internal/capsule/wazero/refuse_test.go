package wazero_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/wire"
)

// handmade is a module written by hand: it imports a shared memory of 2 to 16 pages,
// has its control block at 1024 with the words given, its rings where healthy says,
// and the instructions of inos_run given. What has a fixed shape is in
// capsules/hostile instead.
func handmade(words map[uint32]uint32, run ...byte) []byte {
	return hostile.ModuleWith(words, []byte{0}, run...)
}

const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opBr          = 0x0c
	void          = 0x40
	opEnd         = 0x0b
)

var forever = []byte{opLoop, void, opBr, 0, opEnd}

func TestASpawnIsRefusedAndNamed(t *testing.T) {
	rt, before := sharedRuntime(t), goroutines()
	for _, c := range []struct {
		name  string
		words map[uint32]uint32
		run   []byte
		is    error
		says  string
	}{
		{"another ABI", map[uint32]uint32{capsule.OffMagic: capsule.ControlMagic, capsule.OffABIVersion: 9}, forever, capsule.ErrABIVersion, "speaks 9, this host 3"},
		{"no magic", hostile.Healthy(map[uint32]uint32{capsule.OffMagic: 7}), forever, capsule.ErrNoControlBlock, "magic 0x7"},
		{"odd ring", hostile.Healthy(map[uint32]uint32{capsule.OffEventSize: 5000}), forever, capsule.ErrNoControlBlock, "event ring of 5000 bytes"},
		{"huge ring", hostile.Healthy(map[uint32]uint32{capsule.OffEventSize: 1 << 31}), forever, capsule.ErrNoControlBlock, "power of two"},
		{"overlap", hostile.Healthy(map[uint32]uint32{capsule.OffEventBase: 8192}), forever, capsule.ErrNoControlBlock, "the rings overlap"},
		{"on the block", hostile.Healthy(map[uint32]uint32{capsule.OffEventBase: 1024}), forever, capsule.ErrNoControlBlock, "overlaps the control block"},
		{"outside", hostile.Healthy(map[uint32]uint32{capsule.OffEventBase: 2<<16 - 8}), forever, capsule.ErrNoControlBlock, "outside the 131072 bytes"},
		{"wild tail", hostile.Healthy(map[uint32]uint32{capsule.OffEventTail: 1 << 20}), forever, capsule.ErrRingBroken, "tail 1048576"},
		{"traps at once", map[uint32]uint32{}, []byte{opUnreachable}, capsule.ErrTrap, "unreachable"},
		{"returns at once", map[uint32]uint32{}, nil, capsule.ErrStopped, "before it was ready"},
		{"silent", hostile.Healthy(nil), forever, capsule.ErrNotReady, ""},
		{"never boots", map[uint32]uint32{}, forever, capsule.ErrNotReady, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			mod := compile(t, rt, handmade(c.words, c.run...))
			opened, err := capsule.Open(t.Context(), mod, capsule.Config{Codec: wire.Capsules{}, ReadyTimeout: 200 * time.Millisecond})
			require.Nil(t, opened)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
		})
	}
	require.Empty(t, leaked(before))
}

func TestCompileRefusesWhatIsNoCapsule(t *testing.T) {
	rt := sharedRuntime(t)
	_, err := rt.Compile(t.Context(), []byte("#!/bin/sh\n"))
	require.ErrorIs(t, err, capsule.ErrNotWasm)
	// Well-formed sections around a body that does not validate.
	_, err = rt.Compile(t.Context(), handmade(hostile.Healthy(nil), 0xff))
	require.ErrorIs(t, err, capsule.ErrCompile)
	// An ABI that the module tells before it runs.
	abi := append([]byte{0, 13, 8}, "inos.abi\x09\x00\x00\x00"...)
	_, err = rt.Compile(t.Context(), append(handmade(hostile.Healthy(nil), forever...), abi...))
	require.ErrorIs(t, err, capsule.ErrABIVersion)
}

func TestLimits(t *testing.T) {
	mod := compile(t, sharedRuntime(t), handmade(hostile.Healthy(nil), forever...))
	_, err := mod.Instantiate(t.Context(), 1, capsule.PageSize)
	require.ErrorIs(t, err, wazero.ErrLimit)
	in, err := mod.Instantiate(t.Context(), 3, 4*capsule.PageSize)
	require.NoError(t, err)
	mem := in.Memory()
	epoch, err := mem.Load32(in.Control() + capsule.OffMemoryEpoch)
	require.NoError(t, err)
	require.EqualValues(t, 3, epoch)
	require.EqualValues(t, 2*capsule.PageSize, mem.Len())

	n, err := mem.Grow(3*capsule.PageSize - 5)
	require.NoError(t, err)
	require.EqualValues(t, 3*capsule.PageSize, n)
	_, err = mem.Grow(5 * capsule.PageSize)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	end := uint32(3 * capsule.PageSize)
	require.NoError(t, mem.Store32(end-4, 0x01020304))
	got := make([]byte, 4)
	require.NoError(t, mem.Read(end-4, got))
	require.Equal(t, []byte{4, 3, 2, 1}, got)
	require.NoError(t, mem.Store64(end-8, 1<<32))
	for _, err := range []error{
		mem.Store32(end, 1), mem.Store32(end-2, 1), mem.Store64(end-4, 1), mem.Notify(end),
		mem.Read(end-3, got), mem.Write(end-3, got), mem.Write(^uint32(0), got),
	} {
		require.ErrorIs(t, err, capsule.ErrOutOfBounds)
	}
	in.Kill()
	<-in.Done()
	require.ErrorIs(t, in.Err(), capsule.ErrKilled)
	require.ErrorIs(t, mem.Store32(0, 1), capsule.ErrKilled)
	_, err = mem.Grow(1)
	require.ErrorIs(t, err, capsule.ErrKilled)
}
