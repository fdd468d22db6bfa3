package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// checkpoints keeps the last checkpoint in two files written in turn, so that
// one whole one is always there. Each is a header, little endian,
//
//	magic u32 | CRC-32C u32 | generation u64 | next u64 | offset u64 | length u64
//
// and the state; the checksum is over all after it.
type checkpoints struct {
	names  [2]string
	files  [2]File
	newest int // index of the newest; -1: none
	heads  [2]checkHead
}

type checkHead struct {
	generation, next uint64
	offset           int64
	length           uint64
	state            []byte // until load returns it
	damaged          bool   // not empty and does not verify
}

const (
	checkMagic  = 0x314b_4e49 // "INK1"
	checkHeader = 40
)

func (c *checkpoints) open(dir Dir, name string) error {
	c.newest = -1
	for i := range c.files {
		c.names[i] = fmt.Sprintf("%s.check%d", name, i)
		f, err := dir.Open(c.names[i])
		if err != nil {
			return err
		}
		c.files[i] = f
		if c.heads[i], err = readCheck(f); err != nil {
			return err
		}
		if h := c.heads[i]; h.state != nil && (c.newest < 0 || h.generation > c.heads[c.newest].generation) {
			c.newest = i
		}
	}
	return nil
}

func readCheck(f File) (h checkHead, err error) {
	size, err := f.Size()
	if err != nil || size == 0 {
		return h, err
	}
	b := make([]byte, size)
	if err := readAt(f, b, 0); err != nil {
		return h, err
	}
	h.damaged = true
	if len(b) < checkHeader || binary.LittleEndian.Uint32(b) != checkMagic {
		return h, nil
	}
	length := binary.LittleEndian.Uint64(b[32:])
	// The end of an older, longer state may follow.
	if length > uint64(len(b)-checkHeader) ||
		crc32.Checksum(b[8:checkHeader+length], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return h, nil
	}
	return checkHead{generation: binary.LittleEndian.Uint64(b[8:]), next: binary.LittleEndian.Uint64(b[16:]),
		offset: int64(binary.LittleEndian.Uint64(b[24:])), length: length,
		state: b[checkHeader : checkHeader+length : checkHeader+length]}, nil
}

func (c *checkpoints) save(next uint64, offset int64, state []byte) error {
	i, generation := 0, uint64(1)
	if c.newest >= 0 {
		i, generation = 1-c.newest, c.heads[c.newest].generation+1
	}
	err := writeAt(c.files[i], checkpointOf(generation, next, offset, state), 0)
	if err == nil {
		err = c.files[i].Sync()
	}
	if err != nil {
		c.heads[i] = checkHead{damaged: true}
		_, _ = c.empty() // retried by the next open or write
		return err
	}
	c.heads[i] = checkHead{generation: generation, next: next, offset: offset, length: uint64(len(state))}
	c.newest = i
	return nil
}

func checkpointOf(generation, next uint64, offset int64, state []byte) []byte {
	b := make([]byte, checkHeader, checkHeader+len(state))
	binary.LittleEndian.PutUint32(b, checkMagic)
	for at, v := range []uint64{generation, next, uint64(offset), uint64(len(state))} {
		binary.LittleEndian.PutUint64(b[8+8*at:], v)
	}
	b = append(b, state...)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// older returns the offset of the older checkpoint, -1 when there are not two.
func (c *checkpoints) older() int64 {
	a, b := c.heads[0], c.heads[1]
	if a.generation == 0 || b.generation == 0 {
		return -1
	}
	return min(a.offset, b.offset)
}

// start returns where reading has to begin to reach record from.
func (c *checkpoints) start(from uint64) (offset int64, index uint64) {
	if c.newest >= 0 && c.heads[c.newest].next <= from {
		return c.heads[c.newest].offset, c.heads[c.newest].next
	}
	return 0, 0
}

// load returns the newest checkpoint that verified when the log was opened.
func (c *checkpoints) load() (uint64, []byte, error) {
	if c.newest < 0 {
		return 0, nil, nil
	}
	h := &c.heads[c.newest]
	if h.state == nil {
		again, err := readCheck(c.files[c.newest])
		if err != nil {
			return 0, nil, err
		}
		if again.damaged {
			return 0, nil, &Corruption{c.names[c.newest], 0, h.next, "checkpoint does not verify"}
		}
		return again.next, again.state, nil
	}
	state := h.state
	h.state = nil
	return h.next, state, nil
}

// verify reads and checks both files again.
func (c *checkpoints) verify() error {
	for i, f := range c.files {
		if c.heads[i].damaged {
			continue // a failed save left the other one
		}
		h, err := readCheck(f)
		if err != nil {
			return err
		}
		if h.damaged {
			return &Corruption{c.names[i], 0, 0, "checkpoint does not verify"}
		}
	}
	return nil
}

// empty truncates the files that do not verify and returns their names.
func (c *checkpoints) empty() (names []string, err error) {
	for i, h := range c.heads {
		if !h.damaged {
			continue
		}
		names = append(names, c.names[i])
		if err := errors.Join(c.files[i].Truncate(0), c.files[i].Sync()); err != nil {
			return names, err
		}
		c.heads[i] = checkHead{}
	}
	return names, nil
}

func (c *checkpoints) close() error {
	var errs []error
	for _, f := range c.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
