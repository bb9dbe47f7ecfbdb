package commit

import (
	"io/fs"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// SetAttr keeps mode and time of last change of a committed file, for as long
// as the worktree is open and the name means this content, wherever it is
// moved. They are in no journal and in no commit; a staged file that Edit makes
// of it has them. nil leaves one as it is.
func (d *Dir) SetAttr(name string, b remote.Blob, mode *fs.FileMode, mtime *time.Time) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	set := func(a *Attr) {
		if mode != nil {
			a.Mode = mode.Perm()
		}
		if mtime != nil {
			a.Mtime = *mtime
		}
	}
	k := d.kids[name]
	switch {
	case d.dead:
	case k == nil:
		a := d.keptAttr(name, remote.Entry{Blob: b})
		set(&a)
		d.keep(name, b, a)
	case k.ref != nil && k.ref.entry.Blob.ID == b.ID:
		d.kids[name] = k.withAttr(set)
	}
}

// withAttr is the kid of the same committed content with other attributes: kids
// are replaced, never changed.
func (k *kid) withAttr(set func(*Attr)) *kid {
	moved, r := *k, *k.ref
	set(&r.attr)
	moved.ref = &r
	return &moved
}
