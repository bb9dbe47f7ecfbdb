package blockcache

import (
	"fmt"
	"sync"
	"time"
)

const (
	badPause    = 10 * time.Second
	badMaxPause = 10 * time.Minute
	badMax      = 1024 // keys remembered
)

// badKeys remembers the blobs whose content was wrong. They may be tried again
// after a pause, that grows each time: a broken mirror may be mended, and must
// not be asked for gigabytes by every program that opens the file.
type badKeys struct {
	mu   sync.Mutex
	keys map[blobID]*badKey
}

type badKey struct {
	until time.Time
	pause time.Duration
}

func (b *badKeys) add(key blobID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys == nil {
		b.keys = map[blobID]*badKey{}
	}
	k := b.keys[key]
	if k == nil {
		if len(b.keys) >= badMax {
			b.forgetOldest()
		}
		k = &badKey{pause: badPause / 2}
		b.keys[key] = k
	}
	k.pause = min(2*k.pause, badMaxPause)
	k.until = now.Add(k.pause)
}

func (b *badKeys) forgetOldest() {
	var oldest blobID
	var at time.Time
	for key, k := range b.keys {
		if at.IsZero() || k.until.Before(at) {
			oldest, at = key, k.until
		}
	}
	delete(b.keys, oldest)
}

// good forgets a key: its content was right.
func (b *badKeys) good(key blobID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.keys, key)
}

// refuse returns an error while key is not to be tried.
func (b *badKeys) refuse(key blobID, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k := b.keys[key]; k != nil && now.Before(k.until) {
		return fmt.Errorf("blob %s: %w", key.key, ErrCorrupt)
	}
	return nil
}
