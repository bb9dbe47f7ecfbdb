package blockcache

import "sync"

// streamBlocks is how many blocks one part has in memory at most.
const streamBlocks = 4

// A bufferPool hands out buffers of one size.
type bufferPool struct {
	p    sync.Pool
	size int
}

var (
	blocks  = bufferPool{size: blockSize}
	streams = bufferPool{size: streamBlocks * blockSize}
)

func (b *bufferPool) get() []byte {
	if p, ok := b.p.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, b.size)
}

func (b *bufferPool) put(p []byte) { b.p.Put(&p) }
