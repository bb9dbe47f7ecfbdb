package blockcache

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A reader waits for the hash, but not for the disk to have made the blob whole.
func TestReadDoesNotWaitForTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 12 * mb
		var up atomic.Bool
		s := &source{data: content(1, size)}
		s.before = func(_ context.Context, _ int, off, n int64) (io.Reader, error) {
			if last := int64(size) - blockSize; !up.Load() && off+n > last {
				return failing(s.data[off:off+n], int(max(0, last-off)), errNet), nil
			}
			return nil, nil
		}
		c := open(t, t.TempDir(), Options{Limit: -1})
		b := blobOf(t, c, sha(s.data), s)
		b.Fetch(t.Context())
		synctest.Wait()
		if b.Cached() != int64(size)-blockSize {
			t.Fatalf("%d bytes of %d came", b.Cached(), size)
		}
		d := b.b.disk.Load()
		d.wrote <- struct{}{} // where making it whole waits
		up.Store(true)
		p := make([]byte, blockSize)
		if _, err := b.ReadAt(t.Context(), p, int64(size)-blockSize); err != nil || !bytes.Equal(p, s.data[size-blockSize:]) {
			t.Fatal(err)
		}
		sequential(t, b, s.data, blockSize)
		if _, whole := b.File(); whole {
			t.Error("the blob is whole already")
		}
		<-d.wrote
		isWhole(t, b, s.data)
		b.Close()
		c.Close()
	})
}
