package fs

import (
	"strings"

	"github.com/hubfs/hubfs/commit"
)

// appeared makes the kernel forget that a revision of a repo was not there, since
// a commit has just made it. Who waits for that calls settle.
func (m *mount) appeared(w *commit.Worktree, rev string) {
	if rev == "" || m.opts.Repo != nil {
		return
	}
	m.mu.Lock()
	d := m.dirs[w.Root()]
	m.mu.Unlock()
	if d == nil {
		return
	}
	d.mu.Lock()
	at := d.repo
	d.mu.Unlock()
	if at == nil {
		return
	}
	base, _, _ := strings.Cut(at.name, "@")
	notices := []notice{{node: at.parent.EmbeddedInode(), name: base + "@" + revEscaper.Replace(rev)}}
	if refs, ok := operations(at.parent.GetChild(base + refsSuffix)).(*refsNode); ok {
		for _, kind := range refKinds {
			number, is := strings.CutPrefix(rev, "refs/"+kind+"/")
			n, known := operations(refs.GetChild(kind)).(*refsNode)
			if is && known {
				notices = append(notices, notice{node: n.EmbeddedInode(), name: number})
			}
		}
	}
	m.notifier.add(notices...)
}
