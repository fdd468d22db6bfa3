package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A log file is a sequence of frames, one per Append, so that records acknowledged together are
// kept or lost together. A frame is a header, little endian,
//
//	magic u32 | payload length u32 | first record's index u64 | records u32 | CRC-32C u32
//
// and a payload of records, each with its length (u32) and its bytes. The checksum covers the
// header before it and the payload.
const (
	frameMagic  = 0x314a_4e49 // "INJ1"
	frameHeader = 24
	maxFrame    = 64 << 20
	// MaxRecord is the longest record, in bytes.
	MaxRecord = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, payload)
}

// appendFrame appends the frame of records to b.
func appendFrame(b []byte, first uint64, records [][]byte) []byte {
	start := len(b)
	b = append(b, make([]byte, frameHeader)...)
	for _, r := range records {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
		b = append(b, r...)
	}
	h, payload := b[start:start+frameHeader], b[start+frameHeader:]
	binary.LittleEndian.PutUint32(h, frameMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(h[8:], first)
	binary.LittleEndian.PutUint32(h[16:], uint32(len(records)))
	binary.LittleEndian.PutUint32(h[20:], checksum(h[:20], payload))
	return b
}

type frameHead struct {
	length  int // of the payload
	first   uint64
	records uint32
	sum     uint32
}

// parseHead reads a header; reason says why it is invalid, empty if it is valid.
func parseHead(h []byte) (head frameHead, reason string) {
	if binary.LittleEndian.Uint32(h) != frameMagic {
		return head, "no frame starts here"
	}
	n := binary.LittleEndian.Uint32(h[4:])
	head = frameHead{length: int(n), first: binary.LittleEndian.Uint64(h[8:]),
		records: binary.LittleEndian.Uint32(h[16:]), sum: binary.LittleEndian.Uint32(h[20:])}
	if n > maxFrame || uint64(head.records)*4 > uint64(n) || head.records == 0 {
		return head, "impossible frame header"
	}
	return head, ""
}

// eachRecord splits a payload whose checksum has been verified.
func eachRecord(payload []byte, records uint32, fn func([]byte) error) (reason string, err error) {
	for range records {
		if len(payload) < 4 {
			return "records end early", nil
		}
		n := int(binary.LittleEndian.Uint32(payload))
		if n > len(payload)-4 {
			return "record longer than its frame", nil
		}
		if err := fn(payload[4 : 4+n : 4+n]); err != nil {
			return "", err
		}
		payload = payload[4+n:]
	}
	if len(payload) != 0 {
		return "bytes after the last record", nil
	}
	return "", nil
}

// endMark records how far a log was acknowledged. Two marks lie in a file of their own and are
// written in turn, after the frames that they cover are durable. A damaged frame before the mark
// is damage; one after it is a torn write.
type endMark struct {
	generation uint64
	offset     int64
	next       uint64 // index of the record after it
}

const endSlot = 32

func (m endMark) encode() []byte {
	b := make([]byte, 0, endSlot)
	b = binary.LittleEndian.AppendUint64(b, m.generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.offset))
	b = binary.LittleEndian.AppendUint64(b, m.next)
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeEnd(b []byte) (m endMark, ok bool) {
	if len(b) != endSlot || crc32.Checksum(b[:endSlot-4], castagnoli) != binary.LittleEndian.Uint32(b[endSlot-4:]) ||
		binary.LittleEndian.Uint32(b[endSlot-8:]) != frameMagic {
		return m, false
	}
	m = endMark{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint64(b[16:])}
	return m, m.offset >= 0
}
