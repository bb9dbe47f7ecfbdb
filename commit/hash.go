package commit

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hubfs/hubfs/remote"
)

// A sum is what a commit needs to know of content, found in one reading.
type sum struct {
	size         int64
	mtime, ctime time.Time // of the file when it was read
	sha256       string
	git          string // Git blob id, 64 digits in a long repo; "" if it was not needed
	long         bool   // for a repo with SHA-256 objects
	sample       []byte // the beginning, for the Hub to look at
}

const sampleSize = 512 // what huggingface_hub sends

// gitSize is up to what size the Git id of content is found in the same
// reading. It takes as long as the SHA-256, and Hubs have no larger content
// that is not in LFS, where it is of no use. One that wants it nevertheless
// costs another reading.
const gitSize = 32 << 20

// is reports whether the content is that of a blob.
func (s *sum) is(b remote.Blob) bool {
	return b.ID == "sha256:"+s.sha256 || s.git != "" && b.ID == "git:"+s.git
}

// blob is the name of the content as the Hub will have it.
func (s *sum) blob(lfs bool) remote.Blob {
	if lfs {
		return remote.Blob{ID: "sha256:" + s.sha256}
	}
	return remote.Blob{ID: "git:" + s.git}
}

// hash reads the file unless it is known not to have changed since it was
// read last. The file must be frozen. long asks for 64-digit Git ids, git for
// one of whatever size.
func (f *File) hash(ctx context.Context, long, git, anew bool, progress func(n int64)) (*sum, error) {
	f.mu.Lock()
	known := f.sum
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer g.Close()
	st, err := g.Stat()
	if err != nil {
		return nil, err
	}
	if known != nil && !anew && known.fits(st, long) && (known.git != "" || !git) {
		progress(known.size)
		return known, nil
	}
	s, err := read(ctx, g, st, long, git || st.Size() <= gitSize, progress)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.sum = s
	f.mu.Unlock()
	return s, nil
}

func (s *sum) fits(st fs.FileInfo, long bool) bool {
	return s.size == st.Size() && s.mtime.Equal(st.ModTime()) && s.ctime.Equal(changeTime(st)) && long == s.long
}

func changeTime(st fs.FileInfo) time.Time {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return statCtime(sys)
	}
	return time.Time{}
}

func read(ctx context.Context, g *os.File, st fs.FileInfo, long, git bool, progress func(n int64)) (*sum, error) {
	s := &sum{size: st.Size(), mtime: st.ModTime(), ctime: changeTime(st), long: long}
	var id hash.Hash
	switch {
	case git && long:
		id = sha256.New()
	case git:
		id = sha1.New()
	}
	if git {
		fmt.Fprintf(id, "blob %d\x00", s.size)
	}
	content := sha256.New()
	var head bytes.Buffer
	buf := make([]byte, min(1<<20, s.size+1)) // most of 100,000 files are small
	for n := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := g.Read(buf)
		content.Write(buf[:m])
		if git {
			id.Write(buf[:m])
		}
		if want := sampleSize - head.Len(); want > 0 {
			head.Write(buf[:min(m, want)])
		}
		n += int64(m)
		progress(int64(m))
		if err == io.EOF {
			if n != s.size {
				return nil, fmt.Errorf("%s: %d bytes read of %d", g.Name(), n, s.size)
			}
			break
		}
		if err != nil {
			return nil, err
		}
	}
	s.sha256 = hex.EncodeToString(content.Sum(nil))
	if git {
		s.git = hex.EncodeToString(id.Sum(nil))
	}
	s.sample = head.Bytes()
	return s, nil
}

const parallelHashes = 4

// hashAll finds the sums of all staged items, and with them those that are no
// change at all.
func (p *plan) hashAll(ctx context.Context, long bool, progress func(Event)) error {
	var total, done atomic.Int64
	var files atomic.Int32
	n := 0
	for _, it := range p.items {
		if it.file != nil {
			if st, err := it.file.Stat(); err == nil {
				total.Add(st.Size())
			}
			n++
		}
	}
	// The copies that links become after what they are copies of: a file is read
	// once.
	for _, copies := range []bool{false, true} {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(parallelHashes)
		for _, it := range p.items {
			if it.file == nil || copies != (it.link != "") {
				continue
			}
			g.Go(func() error {
				s, err := it.file.hash(ctx, long, it.had && !isLFS(it.old.Blob), false, func(m int64) {
					progress(Event{Phase: "hash", Path: it.path, Done: done.Add(m), Total: total.Load(), Files: int(files.Load()), TotalFiles: n})
				})
				if err != nil {
					return fmt.Errorf("%s: %w", it.path, err)
				}
				progress(Event{Phase: "hash", Path: it.path, Done: done.Load(), Total: total.Load(), Files: int(files.Add(1)), TotalFiles: n})
				it.sum, it.size = s, s.size
				it.same = it.had && s.is(it.old.Blob)
				if it.same {
					it.blob = it.old.Blob
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether the Hub has this content at the path already.
func (s *sum) matches(m remote.PreuploadMode) bool {
	return m.OID != "" && (m.LFS && m.OID == s.sha256 || !m.LFS && m.OID == s.git)
}

func isLFS(b remote.Blob) bool {
	_, large := b.LFS()
	return large
}

// rehash reads the file again, whatever is known of it.
func (f *File) rehash(long, git bool) (*sum, error) {
	return f.hash(context.Background(), long, git, true, func(int64) {})
}
