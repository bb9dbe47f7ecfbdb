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
	set := func(a Attr) Attr {
		if mode != nil {
			a.Mode = mode.Perm()
		}
		if mtime != nil {
			a.Mtime = *mtime
		}
		return a
	}
	k := d.kids[name]
	switch {
	case d.dead:
	case k == nil:
		d.keep(name, b, set(d.keptAttr(name, remote.Entry{Blob: b})))
	case k.ref != nil && k.ref.entry.Blob.ID == b.ID:
		// Kids are replaced, never changed.
		moved := *k
		moved.ref = &ref{entry: k.ref.entry, commit: k.ref.commit, attr: set(k.ref.attr)}
		d.kids[name] = &moved
	}
}
