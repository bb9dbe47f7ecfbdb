package commit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

// upload brings everything to the Hub that a commit will refer to, and
// prepares what travels in the commit itself.
func (c *committing) upload(ctx context.Context) error {
	if err := c.ask(ctx); err != nil {
		return err
	}
	if err := c.limit(); err != nil {
		return err
	}
	if err := c.uploadLarge(ctx); err != nil {
		return err
	}
	return c.fetchMoved(ctx)
}

// ask lets the Hub decide what is a large file, and what it ignores.
func (c *committing) ask(ctx context.Context) error {
	var items []*item
	var files []remote.PreuploadFile
	for _, it := range c.p.items {
		if it.file != nil && !it.same {
			items = append(items, it)
			files = append(files, remote.PreuploadFile{Path: it.path, Size: it.size, Sample: it.sum.sample})
		}
	}
	if len(files) == 0 {
		return nil
	}
	ignores, err := c.ignores()
	if err != nil {
		return err
	}
	modes, err := c.w.s.o.Client.Preupload(ctx, c.repo, files, remote.PreuploadOptions{CreatePR: c.to.pull != nil, GitIgnore: ignores})
	if err != nil {
		return err
	}
	if len(modes) != len(files) {
		return fmt.Errorf("the server was asked about %d files and told of %d", len(files), len(modes))
	}
	there := false
	for i, it := range items {
		it.mode = modes[i]
		// Object stores refuse empty objects, so these are always inline.
		it.lfs = it.mode.LFS && it.size > 0
		if !it.lfs && it.sum.git == "" {
			if it.sum, err = it.file.hash(ctx, it.sum.long, true, false, func(int64) {}); err != nil {
				return fmt.Errorf("%s: %w", it.path, err)
			}
		}
		it.blob = it.sum.blob(it.lfs)
		there = there || it.mode.OID != "" && it.sum.matches(it.mode)
	}
	if there {
		if err := c.skipThere(ctx, items); err != nil {
			return err
		}
	}
	c.p.drop(func(it *item) bool {
		if it.mode.Ignore && it.file != nil {
			c.p.left = append(c.p.left, StagedPath{Path: it.path, Reason: "the repo's .gitignore covers it"})
			return true
		}
		return false
	})
	return nil
}

// skipThere leaves out content that the branch has already although the
// base's listing does not say so. The Hub speaks of the branch as it is now:
// if it has moved, that is the business of the commit's conflict check.
func (c *committing) skipThere(ctx context.Context, items []*item) error {
	info, err := c.w.s.o.Client.Info(ctx, c.repo)
	if err != nil {
		return err
	}
	if info.SHA != c.p.parent {
		return nil
	}
	for _, it := range items {
		if it.had && it.sum.matches(it.mode) {
			it.same, it.blob = true, it.old.Blob
		}
	}
	return nil
}

func (c *committing) uploadLarge(ctx context.Context) error {
	var files []remote.LFSFile
	var total int64
	for _, it := range c.p.items {
		if it.file == nil || it.same || !it.lfs {
			continue
		}
		total += it.size
		files = append(files, remote.LFSFile{
			OID: it.sum.sha256, Size: it.size,
			Open: func() (io.ReadSeekCloser, error) { return it.file.Open(os.O_RDONLY) },
		})
	}
	if len(files) == 0 {
		return nil
	}
	objects := make(map[string]bool, len(files)) // files of one content are one of them
	for _, f := range files {
		objects[f.OID] = true
	}
	var done atomic.Int64
	var stored atomic.Int32
	return c.w.s.o.Client.UploadLFS(ctx, c.repo, files, remote.UploadOptions{CreatePR: c.to.pull != nil, Progress: func(n int64) {
		c.progress(Event{Phase: "upload", Done: done.Add(n), Total: total, Files: int(stored.Load()), TotalFiles: len(objects)})
	}, Done: func(string) {
		c.progress(Event{Phase: "upload", Done: done.Load(), Total: total, Files: int(stored.Add(1)), TotalFiles: len(objects)})
	}})
}

// ignores is the .gitignore that the commit itself brings, nil if it brings
// none: the Hub cannot know it yet.
func (c *committing) ignores() ([]byte, error) {
	for _, it := range c.p.items {
		if it.path == ".gitignore" && it.file != nil && !it.same && it.size <= maxText {
			b, _, err := it.file.text()
			if b == nil {
				b = []byte{}
			}
			return b, err
		}
	}
	return nil, nil
}

const parallelFetches = 8

// fetchMoved gets the bytes of regular files that were moved: they are part
// of the commit, unlike those of large files.
func (c *committing) fetchMoved(ctx context.Context) error {
	var moved []*item
	for _, it := range c.p.items {
		if _, large := it.blob.LFS(); it.file == nil && !it.same && !large {
			moved = append(moved, it)
		}
	}
	// None is kept open: a directory of 100,000 files would need as many
	// descriptors.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelFetches)
	for _, it := range moved {
		g.Go(func() error {
			b, err := c.w.Blob(ctx, it.from)
			if err != nil {
				return fmt.Errorf("%s: %w", it.path, err)
			}
			defer b.Close()
			err = b.Fetch(ctx)
			if vanished(err) {
				err = c.rescue(ctx, it)
			}
			if err != nil && (errors.Is(err, blockcache.ErrCorrupt) || ctx.Err() != nil || vanished(err)) {
				return fmt.Errorf("%s: %w", it.path, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	c.inline = nil
	for _, it := range moved {
		c.inline = append(c.inline, remote.InlineFile{Path: it.path, Open: func() (io.ReadCloser, error) {
			b, err := c.w.Blob(context.Background(), it.from)
			if err != nil {
				return nil, err
			}
			return &blobReader{io.NewSectionReader(blobAt{b}, 0, b.Size()), b}, nil
		}})
	}
	return nil
}

// rescue finds the content of a moved file elsewhere whose commit is gone from
// the Hub: where the branch has it now.
func (c *committing) rescue(ctx context.Context, it *item) error {
	w := c.w
	head, err := w.s.o.Client.Snapshot(ctx, w.Repo())
	if err != nil {
		return err
	}
	e, err := head.Stat(ctx, it.from.Path)
	if err != nil || e.Blob.ID != it.blob.ID {
		return fmt.Errorf("its content was %s of a commit that is gone from the Hub, and is nowhere else; discard it: %w", it.from.Path, remote.ErrRevisionNotFound)
	}
	w.mu.Lock()
	w.sources[it.blob.ID] = source{commit: head.Commit(), path: e.Path}
	w.mu.Unlock()
	b, err := w.Blob(ctx, it.from)
	if err != nil {
		return err
	}
	defer b.Close()
	return b.Fetch(ctx)
}

// blobReader reads a blob from its beginning.
type blobReader struct {
	*io.SectionReader
	b *blockcache.Blob
}

func (r *blobReader) Close() error { return r.b.Close() }

// blobAt reads a blob without a caller's context: its waits have deadlines.
type blobAt struct{ b *blockcache.Blob }

func (r blobAt) ReadAt(p []byte, off int64) (int, error) {
	return r.b.ReadAt(context.Background(), p, off)
}

// request is the commit the plan makes.
func (c *committing) request() remote.CommitRequest {
	req := remote.CommitRequest{
		Summary: c.o.Message, Description: c.o.Description, Parent: c.p.parent, Deletes: c.p.deletes,
	}
	if strings.TrimSpace(req.Summary) == "" {
		req.Summary = c.p.message()
	}
	if c.part > 1 {
		req.Summary += fmt.Sprintf(" (part %d)", c.part)
	}
	req.CreatePR = c.to.pull != nil
	moved := make(map[string]remote.InlineFile, len(c.inline))
	for _, f := range c.inline {
		moved[f.Path] = f
	}
	sizes := make(map[string]int64)
	for _, it := range c.p.items {
		sizes[it.path] = it.size
		oid, large := it.blob.LFS()
		switch {
		case it.same:
		case large:
			req.LFS = append(req.LFS, remote.LFSRef{Path: it.path, OID: oid, Size: it.size})
		case it.file != nil:
			req.Files = append(req.Files, remote.InlineFile{Path: it.path, Open: func() (io.ReadCloser, error) {
				return it.file.Open(os.O_RDONLY)
			}})
		default:
			req.Files = append(req.Files, moved[it.path])
		}
	}
	var total int64
	for _, it := range c.p.items {
		if _, large := it.blob.LFS(); !it.same && !large {
			total += it.size
		}
	}
	all := c.p.changes()
	rest := all - len(req.Files) // a line each, without content
	s := newSending(func(done int64, files int) {
		c.progress(Event{Phase: "commit", Done: done, Total: total, Files: rest + files, TotalFiles: all})
	})
	for i := range req.Files {
		f := &req.Files[i]
		f.Open = s.open(f.Path, sizes[f.Path], f.Open)
	}
	c.progress(Event{Phase: "commit", Total: total, TotalFiles: all})
	return req
}

// sdk is what a Space's card says it is made with: the Hub wants to know
// before it makes one.
func (p *plan) sdk() string {
	for _, it := range p.items {
		if it.path != "README.md" || it.file == nil {
			continue
		}
		f, err := it.file.Open(os.O_RDONLY)
		if err != nil {
			return ""
		}
		defer f.Close()
		s := bufio.NewScanner(io.LimitReader(f, 1<<16))
		for n := 0; s.Scan(); n++ {
			line := bytes.TrimRight(s.Bytes(), " \r")
			if string(line) == "---" && n > 0 || n == 0 && string(line) != "---" {
				return ""
			}
			if v, ok := bytes.CutPrefix(line, []byte("sdk:")); ok {
				return string(bytes.Trim(v, " \"'"))
			}
		}
	}
	return ""
}
