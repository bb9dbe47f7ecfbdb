package commit

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

// Edit gives the staged file to write instead of what a name means now. For a
// committed file, or a staged one that a commit has, that is a fresh file
// with the same bytes, which takes over the name; with truncate it is empty,
// and no byte is asked for. A staged file that can be written is given as it
// is, also with truncate. No commit takes the file before the caller has opened
// it for writing, within a second.
func (d *Dir) Edit(ctx context.Context, name string, truncate bool) (*File, error) {
	w := d.w
	if err := w.Writable(ctx); err != nil {
		return nil, err
	}
	f, err := w.s.shareEdit(ctx, d, name, truncate)
	if err != nil {
		return nil, opError("edit", d, name, err)
	}
	return f, nil
}

func (d *Dir) edit(ctx context.Context, name string, truncate bool) (*File, error) {
	for {
		s, err := d.look(ctx, name)
		if err != nil {
			return nil, err
		}
		switch {
		case !s.exists():
			return nil, syscall.ENOENT
		case s.dir() != nil:
			return nil, syscall.EISDIR
		case s.kid != nil && s.kid.link != nil:
			return nil, syscall.ELOOP // who opens a name is led on by the kernel
		case s.kid != nil && s.kid.file != nil && s.kid.file.await():
			return s.kid.file, nil
		}
		f, err := d.w.copyOf(ctx, &s, truncate)
		if err != nil {
			d.w.mu.RLock()
			moved := !s.valid() // it was committed, and perhaps evicted, just now
			d.w.mu.RUnlock()
			if moved && errors.Is(err, ErrFrozen) {
				continue
			}
			return nil, err
		}
		f.await()
		ok, err := d.w.name(f, &s)
		if ok {
			return f, nil
		}
		f.st.discard(f)
		if err != nil {
			return nil, err
		}
	}
}

// copyOf makes a staged file without a name that has what a slot has: bytes,
// unless they are not wanted, mode, and time of last change.
func (w *Worktree) copyOf(ctx context.Context, s *slot, truncate bool) (*File, error) {
	if s.kid != nil && s.kid.file != nil {
		return w.copyStaged(ctx, s.kid.file, truncate)
	}
	w.mu.RLock()
	n, err := s.node()
	w.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	f, err := w.fresh(n.Attr.Mode)
	if err != nil || truncate {
		return f, err
	}
	err = w.bring(ctx, f, n.Entry)
	if err == nil {
		err = f.Chtimes(n.Attr.Mtime, n.Attr.Mtime)
	}
	if err != nil {
		f.st.discard(f)
		return nil, err
	}
	if st, err := f.st.disk.lstat(f.name()); err == nil {
		f.copied = &copied{blob: n.Entry.Blob.ID, sum: sum{size: st.Size(), mtime: st.ModTime(), ctime: changeTime(st)}}
	}
	return f, nil
}

// copied says what a file was made from, and what it was like then.
type copied struct {
	blob string
	sum  sum // without hashes
}

// untouched reports whether the file has the bytes of a blob because it was
// copied from it and not written since.
func (f *File) untouched(blob string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.copied == nil || f.copied.blob != blob || f.place != inStaging {
		return false
	}
	st, err := f.st.disk.lstat(f.name())
	return err == nil && f.copied.sum.fits(st, false)
}

func (w *Worktree) copyStaged(ctx context.Context, old *File, truncate bool) (*File, error) {
	st, err := old.Stat()
	if err != nil {
		return nil, err
	}
	f, err := w.fresh(st.Mode())
	if err != nil || truncate {
		return f, err
	}
	err = func() error {
		in, err := old.Open(os.O_RDONLY)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := f.Open(os.O_WRONLY)
		if err != nil {
			return err
		}
		err = f.st.disk.clone(ctx, out, in)
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = f.Chtimes(st.ModTime(), st.ModTime())
		}
		old.mu.Lock()
		synced := old.synced
		old.mu.Unlock()
		if err == nil && synced {
			err = f.outlast() // what was durable under this name stays so
		}
		return err
	}()
	if err != nil {
		f.st.discard(f)
		return nil, err
	}
	return f, nil
}

// bring copies a committed file's bytes into a staged file.
func (w *Worktree) bring(ctx context.Context, f *File, e remote.Entry) error {
	b, err := w.Blob(ctx, e)
	if err != nil {
		return err
	}
	defer b.Close()
	out, err := f.Open(os.O_WRONLY)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := b.Fetch(ctx); err == nil {
		// A descriptor of our own: others read through the blob's offset.
		if in, ok := w.s.o.Cache.Whole(b.Key(), b.Size()); ok {
			defer in.Close()
			if err := f.st.disk.clone(ctx, out, in); err != nil {
				return err
			}
			return out.Close()
		}
	} else if errors.Is(err, blockcache.ErrCorrupt) || ctx.Err() != nil {
		return err
	}
	// The cache has no room for it, or lost it again: read it through.
	buf := make([]byte, 1<<20)
	for off := int64(0); off < e.Size; {
		n, err := b.ReadAt(ctx, buf[:min(int64(len(buf)), e.Size-off)], off)
		if n > 0 {
			if werr := f.st.disk.writeAt(out, buf[:n], off); werr != nil {
				return werr
			}
			off += int64(n)
		}
		if err != nil && !(err == io.EOF && off == e.Size) {
			return err
		}
		if n == 0 && err == nil {
			return io.ErrNoProgress
		}
	}
	return out.Close()
}
