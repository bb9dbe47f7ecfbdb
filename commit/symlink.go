package commit

import (
	"context"
	"io/fs"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// A Link is a staged symbolic link, for life. Git repos on the Hub have none that
// programs are shown: a commit makes a copy of what it leads to, see linked.
type Link struct {
	Target string
	Mtime  time.Time
}

func linkOf(r record) *Link {
	l := &Link{Target: r.Q}
	if r.T != nil {
		l.Mtime = *r.T
	}
	return l
}

func (l *Link) record(p string) record {
	t := l.Mtime.Round(time.Nanosecond)
	return record{Op: opLink, P: p, Q: l.Target, T: &t}
}

// Symlink stages a symbolic link: fs.ErrExist if the name is there. The target
// is any string that the journal can keep.
func (d *Dir) Symlink(ctx context.Context, name, target string) (*Link, error) {
	if err := checkName(d.Path(), name); err != nil {
		return nil, err
	}
	if err := checkTarget(target); err != nil {
		return nil, opError("symlink", d, name, err)
	}
	l := &Link{Target: target, Mtime: time.Now()}
	var s slot
	err := d.w.change(ctx, func() (err error) {
		s, err = d.peek(ctx, name, false)
		return err
	}, func() bool {
		return s.valid()
	}, func() (record, error) {
		s.settle()
		if s.exists() {
			return record{}, fs.ErrExist
		}
		return l.record(join(d.path(), name)), nil
	}, func() {
		l = d.kids[name].link
	})
	if err != nil {
		return nil, opError("symlink", d, name, err)
	}
	return l, nil
}

func checkTarget(target string) error {
	switch {
	case target == "", strings.Contains(target, "\x00"):
		return syscall.ENOENT // as the kernel says of an empty one
	case len(target) >= maxPath:
		return syscall.ENAMETOOLONG
	case !utf8.ValidString(target):
		return syscall.EILSEQ
	}
	return nil
}

// ShowAt says where programs see the directory dir of the repo ("" for its
// root): absolute targets of links are understood by it.
func (w *Worktree) ShowAt(place, dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shownAt, w.shownDir = place, dir
}
