package blockcache

import (
	"math/bits"
	"sync/atomic"
)

const (
	blockSize = 128 << 10 // what one read of the kernel asks for at most

	segmentBlocks = 1024 // 128 MiB; the map of a huge blob grows as it fills

	// maxSize is about the largest file of ext4, and keeps a tree that lies about
	// sizes from costing more than 1 MiB a blob.
	maxSize = 16 << 40
)

// A blockMap says which blocks of one partial file are present. Reading and
// setting bits takes no lock.
type blockMap struct {
	size int64
	segs []atomic.Pointer[segment]
}

type segment struct {
	have  bitset // the bytes are in the file and right
	claim bitset // an earlier process said so; to be checked against the CRC
	mark  bitset // a reader that comes here tells the planner
	crc   [segmentBlocks]atomic.Uint32
}

type bitset [segmentBlocks / 64]atomic.Uint64

func (s *bitset) get(i int64) bool { return s[i/64].Load()&(1<<(i%64)) != 0 }
func (s *bitset) set(i int64)      { s[i/64].Or(1 << (i % 64)) }

// clear reports whether the bit was set.
func (s *bitset) clear(i int64) bool {
	bit := uint64(1) << (i % 64)
	return s[i/64].And(^bit)&bit != 0
}

// run returns how many bits from i are set, up to limit or the end of the set.
func (s *bitset) run(i, limit int64) int64 {
	n := int64(0)
	for n < limit && i+n < segmentBlocks {
		at := i + n
		ones := int64(bits.TrailingZeros64(^(s[at/64].Load() >> (at % 64))))
		ones = min(ones, 64-at%64)
		n += ones
		if (at+ones)%64 != 0 || ones == 0 {
			break
		}
	}
	return min(n, limit)
}

func newBlockMap(size int64) *blockMap {
	n := blocksOf(size)
	return &blockMap{size: size, segs: make([]atomic.Pointer[segment], (n+segmentBlocks-1)/segmentBlocks)}
}

func blocksOf(size int64) int64 { return (size + blockSize - 1) / blockSize }

// blockLen returns the length of block i in bytes: the last one may be short.
func blockLen(i, size int64) int64 { return min(blockSize, size-i*blockSize) }

// at returns the segment of block i, or nil, and the block's place in it.
func (m *blockMap) at(i int64) (*segment, int64) {
	return m.segs[i/segmentBlocks].Load(), i % segmentBlocks
}

// grow returns the segment of block i and makes it if it is missing.
func (m *blockMap) grow(i int64) (*segment, int64) {
	p := &m.segs[i/segmentBlocks]
	if p.Load() == nil {
		p.CompareAndSwap(nil, new(segment))
	}
	return p.Load(), i % segmentBlocks
}

// present reports whether block i is there, or said to be.
func (m *blockMap) present(i int64) bool {
	s, k := m.at(i)
	return s != nil && (s.have.get(k) || s.claim.get(k))
}

// has returns how many blocks from i, at most limit, are there and right.
func (m *blockMap) has(i, limit int64) int64 {
	n := int64(0)
	for n < limit {
		s, k := m.at(i + n)
		if s == nil {
			break
		}
		r := s.have.run(k, limit-n)
		n += r
		if r == 0 || (i+n)%segmentBlocks != 0 {
			break
		}
	}
	return n
}

// add notes block i, whose bytes are in the file already.
func (m *blockMap) add(i int64, crc uint32) {
	s, k := m.grow(i)
	s.crc[k].Store(crc)
	s.have.set(k)
}

// drop forgets block i and reports whether it was present.
func (m *blockMap) drop(i int64) bool {
	s, k := m.at(i)
	if s == nil {
		return false
	}
	have, claim := s.have.clear(k), s.claim.clear(k)
	return have || claim
}

// marked reports whether one of the n blocks from i was marked, and unmarks them.
func (m *blockMap) marked(i, n int64) bool {
	found := false
	for ; n > 0; i, n = i+1, n-1 {
		if s, k := m.at(i); s != nil && s.mark.get(k) && s.mark.clear(k) {
			found = true
		}
	}
	return found
}

func (m *blockMap) setMark(i int64) {
	s, k := m.grow(i)
	s.mark.set(k)
}
