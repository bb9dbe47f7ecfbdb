package blockcache

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// The map file beside a partial file, little endian:
//
//	 0  magic "hubfsmap"
//	 8  version, block size          uint32 each
//	16  size of the blob             int64
//	24  hash that names the blob     32 bytes, zeros after a shorter one
//	56  CRC-32C of the 56 bytes      uint32
//	60  zero                         uint32
//	64  one record a block: CRC-32C of its bytes, check   uint32 each
//
// The check is the CRC-32C of the block's number and CRC, inverted, so that
// neither a hole nor a record that was moved or damaged stands for a block. A
// record that is not right means that the block is absent; a header that is
// not right, that all are.
const (
	mapMagic   = "hubfsmap"
	mapVersion = 1
	mapHeader  = 64
	mapRecord  = 8
	mapSuffix  = ".map"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

func mapHeaderOf(key digest, size int64) []byte {
	h := append(make([]byte, 0, mapHeader), mapMagic...)
	h = binary.LittleEndian.AppendUint32(h, mapVersion)
	h = binary.LittleEndian.AppendUint32(h, blockSize)
	h = binary.LittleEndian.AppendUint64(h, uint64(size))
	h = append(h, key.raw()...)
	h = h[:56]
	h = binary.LittleEndian.AppendUint32(h, checksum(h))
	return h[:mapHeader]
}

func appendRecord(b []byte, i int64, crc uint32) []byte {
	var r [12]byte
	binary.LittleEndian.PutUint64(r[:], uint64(i))
	binary.LittleEndian.PutUint32(r[8:], crc)
	b = binary.LittleEndian.AppendUint32(b, crc)
	return binary.LittleEndian.AppendUint32(b, ^checksum(r[:]))
}

// writeMap writes the records of the blocks in [lo, hi) as p has them now.
func writeMap(f *os.File, p *partial, lo, hi int64) error {
	b := make([]byte, 0, mapRecord*(hi-lo))
	for i := lo; i < hi; i++ {
		if s, k := p.m.at(i); p.there(i) {
			b = appendRecord(b, i, s.crc[k].Load())
		} else {
			b = append(b, make([]byte, mapRecord)...)
		}
	}
	_, err := f.WriteAt(b, mapHeader+mapRecord*lo)
	return err
}

// readMap notes in m what the file claims, and returns the number of blocks.
func readMap(f *os.File, key digest, m *blockMap) (int64, error) {
	r := io.NewSectionReader(f, 0, mapHeader+mapRecord*blocksOf(m.size))
	buf := make([]byte, mapRecord*segmentBlocks)
	if _, err := io.ReadFull(r, buf[:mapHeader]); err != nil {
		return 0, fmt.Errorf("block map: %w", err)
	}
	if string(buf[:mapHeader]) != string(mapHeaderOf(key, m.size)) {
		return 0, fmt.Errorf("block map of another blob or version, or damaged")
	}
	found := int64(0)
	for i := int64(0); i < blocksOf(m.size); i += segmentBlocks {
		n, err := io.ReadFull(r, buf) // the file ends with the last block that came
		for k := range int64(n / mapRecord) {
			rec := buf[k*mapRecord : (k+1)*mapRecord]
			crc := binary.LittleEndian.Uint32(rec)
			if string(appendRecord(nil, i+k, crc)) == string(rec) {
				s, at := m.grow(i + k)
				s.crc[at].Store(crc)
				s.claim.set(at)
				found++
			}
		}
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			}
			return 0, fmt.Errorf("block map: %w", err)
		}
	}
	return found, nil
}
