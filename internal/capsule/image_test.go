package capsule_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
)

// image draws an image of up to 4 pages.
func drawImage(t *rapid.T) *capsule.Image {
	im := &capsule.Image{
		ABI:         rapid.Uint32().Draw(t, "abi"),
		CapsuleCID:  capsule.SumCID(rapid.SliceOf(rapid.Byte()).Draw(t, "wasm")),
		Epoch:       rapid.Uint32().Draw(t, "epoch"),
		MemoryBytes: rapid.Uint64Range(0, 4).Draw(t, "pages") * capsule.PageSize,
	}
	for i := range uint32(im.MemoryBytes / capsule.ImageBlock) {
		if rapid.IntRange(0, 9).Draw(t, "present") == 0 {
			fill := rapid.Byte().Draw(t, "fill")
			im.Blocks = append(im.Blocks, capsule.Block{Index: i, Bytes: bytes.Repeat([]byte{fill}, capsule.ImageBlock)})
		}
	}
	return im
}

func TestImagesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		im := drawImage(t)
		b := im.Encode(rapid.Bool().Draw(t, "compress"))
		got, err := capsule.DecodeImage(b, 4*capsule.PageSize)
		require.NoError(t, err)
		require.Equal(t, im, got)
		// Every change of the length is noticed, and none of the bytes hurts.
		_, err = capsule.DecodeImage(append(b, 0), 4*capsule.PageSize)
		require.ErrorIs(t, err, capsule.ErrImage)
		_, err = capsule.DecodeImage(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], 4*capsule.PageSize)
		require.ErrorIs(t, err, capsule.ErrImage)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.Byte().Draw(t, "flip")
		_, _ = capsule.DecodeImage(b, 4*capsule.PageSize)
	})
}

func TestAnImageBeyondTheLimitIsRefused(t *testing.T) {
	im := &capsule.Image{MemoryBytes: 2 * capsule.PageSize}
	_, err := capsule.DecodeImage(im.Encode(false), capsule.PageSize)
	require.ErrorIs(t, err, capsule.ErrImage)
	require.ErrorContains(t, err, "the limit is 65536")
	// Blocks out of order.
	im.Blocks = []capsule.Block{{Index: 3, Bytes: make([]byte, capsule.ImageBlock)}, {Index: 3, Bytes: make([]byte, capsule.ImageBlock)}}
	_, err = capsule.DecodeImage(im.Encode(true), 1<<20)
	require.ErrorContains(t, err, "block 3 after block 3")
}

func FuzzDecodeImage(f *testing.F) {
	im := &capsule.Image{ABI: 1, Epoch: 3, MemoryBytes: capsule.PageSize,
		Blocks: []capsule.Block{{Index: 1, Bytes: bytes.Repeat([]byte{7}, capsule.ImageBlock)}}}
	f.Add(im.Encode(true))
	f.Add(im.Encode(false))
	f.Add(binary.LittleEndian.AppendUint64([]byte("INOSIMG1"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := capsule.DecodeImage(b, 1<<20)
		if err != nil {
			require.ErrorIs(t, err, capsule.ErrImage)
			return
		}
		require.LessOrEqual(t, len(im.Blocks)*capsule.ImageBlock, 1<<20)
		again, err := capsule.DecodeImage(im.Encode(true), 1<<20)
		require.NoError(t, err)
		require.Equal(t, im, again)
	})
}
