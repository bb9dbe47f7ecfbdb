package blockcache

import (
	"container/list"
	"sync"
)

// memoryLimit bounds what is kept while the disk takes nothing, and of small
// blobs on their way to disk. It is large enough for the windows of several
// readers, and with the buffers of all parts stays under 64 MiB.
const memoryLimit = 32 << 20

// memoryOverhead is what one block costs besides its bytes, about.
const memoryOverhead = 256

// A memory keeps the blocks used last that are not on disk. A block's bytes
// are never changed once they are in.
type memory struct {
	mu    sync.Mutex
	size  int
	order list.List // of *memoryBlock, oldest first
	index map[memoryKey]*list.Element
}

type memoryKey struct {
	b *blob
	i int64
}

type memoryBlock struct {
	memoryKey
	data []byte
}

func (m *memory) get(b *blob, i int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.index[memoryKey{b, i}]; e != nil {
		m.order.MoveToBack(e)
		return e.Value.(*memoryBlock).data
	}
	return nil
}

func (m *memory) has(b *blob, i int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index[memoryKey{b, i}] != nil
}

func (m *memory) put(b *blob, i int64, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := memoryKey{b, i}
	if m.index == nil {
		m.index = map[memoryKey]*list.Element{}
	}
	if m.index[k] != nil {
		return
	}
	m.index[k] = m.order.PushBack(&memoryBlock{k, data})
	m.size += len(data) + memoryOverhead
	for m.size > memoryLimit {
		m.remove(m.order.Front())
	}
}

// drop forgets all blocks of b.
func (m *memory) drop(b *blob) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.blocks < int64(len(m.index)) {
		for i := range b.blocks {
			if e := m.index[memoryKey{b, i}]; e != nil {
				m.remove(e)
			}
		}
		return
	}
	for k, e := range m.index {
		if k.b == b {
			m.remove(e)
		}
	}
}

func (m *memory) remove(e *list.Element) {
	v := e.Value.(*memoryBlock)
	m.order.Remove(e)
	delete(m.index, v.memoryKey)
	m.size -= len(v.data) + memoryOverhead
}
