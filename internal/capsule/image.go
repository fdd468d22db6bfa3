package capsule

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// ImageBlock is the granularity of an Image in bytes: blocks of zeros are left out.
const ImageBlock = 4096

// Image is a snapshot: the memory of a paused capsule. Its CID is SumCID of its
// encoding. It holds all that the capsule keeps between jobs and nothing of a
// job at work, whose stack lives in the engine.
type Image struct {
	ABI         uint32
	CapsuleCID  CID
	Epoch       uint32 // the memory epoch it was taken in
	MemoryBytes uint64 // length of the memory, whole pages
	// Blocks that are not all zeros, ascending.
	Blocks []Block
}

// Block is ImageBlock bytes at Index*ImageBlock.
type Block struct {
	Index uint32
	Bytes []byte
}

// imageMagic starts an encoding; the byte after it says how the blocks follow.
const imageMagic = "INOSIMG1"

const (
	imagePlain   = 0
	imageDeflate = 1
)

// IsImage reports whether b begins as an encoded Image does; no module does.
func IsImage(b []byte) bool { return bytes.HasPrefix(b, []byte(imageMagic)) }

// imageHeader is what the magic is followed by, little-endian.
type imageHeader struct {
	Compression uint8
	ABI         uint32
	Digest      [32]byte
	Epoch       uint32
	MemoryBytes uint64
	Blocks      uint32
}

// Encode writes the image, compressed (deflate) when compress is set. The same
// image gives the same bytes.
func (im *Image) Encode(compress bool) []byte {
	var out bytes.Buffer
	out.WriteString(imageMagic)
	h := imageHeader{ABI: im.ABI, Digest: im.CapsuleCID.Digest(), Epoch: im.Epoch,
		MemoryBytes: im.MemoryBytes, Blocks: uint32(len(im.Blocks))}
	body := io.Writer(&out)
	var deflate *flate.Writer
	if compress {
		h.Compression = imageDeflate
		deflate, _ = flate.NewWriter(&out, flate.BestSpeed) // the level is a valid one
		body = deflate
	}
	// A bytes.Buffer takes everything.
	_ = binary.Write(&out, binary.LittleEndian, h)
	var index [4]byte
	for _, b := range im.Blocks {
		binary.LittleEndian.PutUint32(index[:], b.Index)
		_, _ = body.Write(index[:])
		_, _ = body.Write(b.Bytes)
	}
	if deflate != nil {
		_ = deflate.Close()
	}
	return out.Bytes()
}

// DecodeImage reads what Encode wrote. It allocates no more than limit bytes for
// blocks, whatever b claims: limit is the longest memory accepted. Errors match
// ErrImage.
func DecodeImage(b []byte, limit uint64) (*Image, error) {
	rest, ok := bytes.CutPrefix(b, []byte(imageMagic))
	var h imageHeader
	if !ok || len(rest) < binary.Size(h) {
		return nil, fmt.Errorf("%w: no header", ErrImage)
	}
	from := bytes.NewReader(rest)
	_ = binary.Read(from, binary.LittleEndian, &h) // it is long enough
	switch {
	case h.MemoryBytes > limit || h.MemoryBytes > maxPages*PageSize:
		return nil, fmt.Errorf("%w: a memory of %d bytes, the limit is %d", ErrImage, h.MemoryBytes, limit)
	case h.MemoryBytes%PageSize != 0 || uint64(h.Blocks) > h.MemoryBytes/ImageBlock:
		return nil, fmt.Errorf("%w: %d blocks in a memory of %d bytes", ErrImage, h.Blocks, h.MemoryBytes)
	case h.Compression > imageDeflate:
		return nil, fmt.Errorf("%w: compression %d", ErrImage, h.Compression)
	}
	body := io.Reader(from)
	if h.Compression == imageDeflate {
		body = flate.NewReader(from)
	}
	im := &Image{ABI: h.ABI, CapsuleCID: CIDOf(h.Digest), Epoch: h.Epoch, MemoryBytes: h.MemoryBytes}
	next := uint64(0)
	for range h.Blocks {
		var index [4]byte
		if _, err := io.ReadFull(body, index[:]); err != nil {
			return nil, fmt.Errorf("%w: cut short: %w", ErrImage, err)
		}
		block := Block{Index: binary.LittleEndian.Uint32(index[:]), Bytes: make([]byte, ImageBlock)}
		if i := uint64(block.Index); i < next || i >= h.MemoryBytes/ImageBlock {
			return nil, fmt.Errorf("%w: block %d after block %d", ErrImage, i, int64(next)-1)
		}
		next = uint64(block.Index) + 1
		if _, err := io.ReadFull(body, block.Bytes); err != nil {
			return nil, fmt.Errorf("%w: cut short: %w", ErrImage, err)
		}
		im.Blocks = append(im.Blocks, block)
	}
	if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the last block", ErrImage)
	}
	if from.Len() != 0 {
		return nil, fmt.Errorf("%w: %d bytes follow it", ErrImage, from.Len())
	}
	return im, nil
}

// fits reports whether the image is one of info's module.
func (im *Image) fits(info ModuleInfo) error {
	switch {
	case im.ABI != ABIVersion:
		return fmt.Errorf("%w: %w", ErrImage, &ABIError{Capsule: im.ABI, Host: ABIVersion})
	case im.CapsuleCID != info.CID:
		return fmt.Errorf("%w: of capsule %s, not of %s", ErrImage, im.CapsuleCID, info.CID)
	case im.MemoryBytes < uint64(info.MinPages)*PageSize:
		return fmt.Errorf("%w: a memory of %d bytes, the module needs %d", ErrImage, im.MemoryBytes, uint64(info.MinPages)*PageSize)
	}
	return nil
}

// Fill copies the image into a fresh memory, before the module is instantiated
// on it: the flag by which its start function knows an initialised memory comes
// with it.
func (im *Image) Fill(mem Memory) error {
	if n, err := mem.Grow(im.MemoryBytes); err != nil {
		return err
	} else if n < im.MemoryBytes {
		return fmt.Errorf("%w: %d bytes in a memory of %d", ErrOutOfBounds, im.MemoryBytes, n)
	}
	for _, b := range im.Blocks {
		if err := mem.Write(b.Index*ImageBlock, b.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// Reset makes the control block at control that of a capsule about to start:
// booting, not killed, in epoch. Unread events were the old host's; unread
// commands stay for the capsule.
func (im *Image) Reset(mem Memory, control, epoch uint32) error {
	tail, err := mem.Load32(control + OffEventTail)
	if err != nil {
		return err
	}
	for _, off := range restartZeros {
		if err := mem.Store32(control+off, 0); err != nil {
			return err
		}
	}
	for _, w := range []struct{ off, v uint32 }{{OffState, StateBooting}, {OffMemoryEpoch, epoch}, {OffEventHead, tail}} {
		if err := mem.Store32(control+w.off, w.v); err != nil {
			return err
		}
	}
	return nil
}
