package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/hubfs/hubfs/remote"
)

// A Delta is one path that the next commit would change, or that is staged
// and left out of it for a Reason. Op is "add", "change", "delete", "rename"
// (of committed content, which was at From) or "mkdir".
type Delta struct {
	Path    string `json:"path"`
	Op      string `json:"op"`
	From    string `json:"from,omitempty"`
	OldSize int64  `json:"old_size"` // bytes at the base
	NewSize int64  `json:"new_size"`
	Binary  bool   `json:"binary,omitempty"` // there is no text because a side is none, or has over 1 MiB
	Text    string `json:"text,omitempty"`   // unified diff
	Reason  string `json:"reason,omitempty"`
}

// maxText is how large a file may be whose lines are compared, in bytes.
const maxText = 1 << 20

// Diff compares what is staged at a path and below with the base, "" for all,
// sorted by path. A file that was written and has the bytes it had is left
// out. fs.ErrNotExist if there is neither anything staged nor committed at the
// path.
func (w *Worktree) Diff(ctx context.Context, path string) ([]Delta, error) {
	w.mu.RLock()
	base := w.base
	root := w.root.shoot("")
	w.mu.RUnlock()
	x, err := diff(ctx, base, root)
	if err != nil {
		return nil, fmt.Errorf("diff %q: %w", path, err)
	}
	c := &comparing{w: w, ctx: ctx, x: x, gone: make(map[string]bool)}
	for p, it := range x.items {
		if below(p, path) {
			if err := c.item(it); err != nil {
				return nil, fmt.Errorf("diff %q: %w", p, err)
			}
		}
	}
	for p := range x.deletes {
		if below(p, path) && !c.gone[p] {
			if err := c.deleted(p); err != nil {
				return nil, fmt.Errorf("diff %q: %w", p, err)
			}
		}
	}
	for _, l := range w.Status(ctx).Staged {
		if below(l.Path, path) && (l.Reason != "" || l.Op == "mkdir") {
			c.leave(l)
		}
	}
	slices.SortFunc(c.deltas, func(a, b Delta) int { return strings.Compare(a.Path, b.Path) })
	if len(c.deltas) == 0 && path != "" {
		if err := w.known(ctx, path); err != nil {
			return nil, fmt.Errorf("diff %q: %w", path, err)
		}
	}
	return c.deltas, nil
}

// below reports whether p is dir or in it; "" is the root.
func below(p, dir string) bool {
	return dir == "" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// known reports whether the worktree or its base has a path.
func (w *Worktree) known(ctx context.Context, path string) error {
	w.mu.RLock()
	x := differ{ctx: ctx, base: w.base, root: w.root.shoot("")}
	covers := w.covers(path)
	w.mu.RUnlock()
	if _, ok, err := x.stat(path); ok || err != nil || covers {
		return err
	}
	ok, err := x.shows(path)
	if err == nil && !ok {
		err = fs.ErrNotExist
	}
	return err
}

type comparing struct {
	w      *Worktree
	ctx    context.Context
	x      *differ
	gone   map[string]bool // deletions that are a side of a rename
	deltas []Delta
}

func (c *comparing) item(it *item) error {
	d := Delta{Path: it.path, Op: "add", NewSize: it.size}
	if it.had {
		d.Op, d.OldSize = "change", it.old.Size
	}
	if it.file == nil {
		if it.same {
			return nil
		}
		d.From = it.from.Path
		if c.x.deletes[d.From] {
			d.Op, d.OldSize = "rename", it.from.Size
			c.gone[d.From] = true
		}
		c.deltas = append(c.deltas, d)
		return nil
	}
	now, size, err := it.file.text()
	if err != nil {
		return err
	}
	d.NewSize = size
	if it.had && size == it.old.Size {
		s, err := it.file.glance(c.ctx, len(it.old.Blob.ID) == len("git:")+64, !isLFS(it.old.Blob))
		if err != nil {
			return err
		}
		if s.is(it.old.Blob) {
			return nil
		}
	}
	var was []byte
	if it.had {
		if was, err = c.w.text(c.ctx, it.old); err != nil {
			return err
		}
	}
	c.compare(&d, was, now)
	return nil
}

func (c *comparing) deleted(p string) error {
	e, ok, err := c.x.stat(p)
	if err != nil || !ok {
		return err
	}
	was, err := c.w.text(c.ctx, e)
	if err != nil {
		return err
	}
	c.compare(&Delta{Path: p, Op: "delete", OldSize: e.Size}, was, nil)
	return nil
}

// compare adds a delta with the lines of both sides, if they are lines.
func (c *comparing) compare(d *Delta, was, now []byte) {
	if d.OldSize > maxText || d.NewSize > maxText || !isText(was) || !isText(now) {
		d.Binary = true
	} else {
		from, to := "a/"+d.Path, "b/"+d.Path
		switch d.Op {
		case "add":
			from = "/dev/null"
		case "delete":
			to = "/dev/null"
		}
		d.Text = udiff.Unified(from, to, string(was), string(now))
	}
	c.deltas = append(c.deltas, *d)
}

// leave adds what is staged and in no commit, as the status has it.
func (c *comparing) leave(l StagedPath) {
	d := Delta{Path: l.Path, Op: l.Op, From: l.From, NewSize: l.Size, Reason: l.Reason}
	if d.Op == "move" {
		d.Op = "rename"
	}
	for i := range c.deltas {
		if c.deltas[i].Path == l.Path {
			c.deltas[i].Reason = l.Reason
			return
		}
	}
	c.deltas = append(c.deltas, d)
}

func isText(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsRune(b, 0) }

// text is the content of a staged file, or only its size if it is too large
// to be compared.
func (f *File) text() (b []byte, size int64, err error) {
	g, err := f.Open(os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	defer g.Close()
	st, err := g.Stat()
	if err != nil || st.Size() > maxText {
		return nil, st.Size(), err
	}
	b, err = io.ReadAll(io.LimitReader(g, maxText))
	return b, int64(len(b)), err
}

// glance hashes the file as it is now, perhaps while it is written: the sum is
// good for nothing but a look.
func (f *File) glance(ctx context.Context, long, git bool) (*sum, error) {
	g, err := f.Open(os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	st, err := g.Stat()
	if err != nil {
		return nil, err
	}
	return read(ctx, g, st, long, git, func(int64) {})
}

// text is the content of a committed file, nil if it is too large to be
// compared.
func (w *Worktree) text(ctx context.Context, e remote.Entry) ([]byte, error) {
	if e.Size > maxText || e.Size == 0 {
		return nil, nil
	}
	b, err := w.Blob(ctx, e)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	buf := make([]byte, e.Size)
	n, err := b.ReadAt(ctx, buf, 0)
	if errors.Is(err, io.EOF) && n == len(buf) {
		err = nil
	}
	return buf[:n], err
}
