package commit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A ConflictError says that the branch and the staged work changed the same
// paths, or with Rewritten that nobody can tell any more whether they did.
// Everything stays staged. CommitOptions.Force puts ours over theirs, Discard
// takes theirs, CommitOptions.CreatePR keeps both. It matches
// remote.ErrConflict.
type ConflictError struct {
	Paths     []string // sorted
	Head      string   // commit the branch is at
	Rewritten bool     // the commit that the work lies on is gone from the Hub
	Sides     []Side   // what both did, in the order of Paths
}

// A Side is one path of a conflict. What was done is "add", "change",
// "delete" or "mkdir"; "" if it is not known. Sizes are of what is there now.
type Side struct {
	Path       string `json:"path"`
	Ours       string `json:"ours,omitempty"`
	Theirs     string `json:"theirs,omitempty"`
	OurSize    int64  `json:"our_size"`
	TheirSize  int64  `json:"their_size"`
	TheirTitle string `json:"their_title,omitempty"` // of the commit that did theirs, where it is known

	TheirCommit string    `json:"their_commit,omitempty"`
	TheirAuthor string    `json:"their_author,omitempty"`
	TheirDate   time.Time `json:"their_date,omitzero"`
}

func (e *ConflictError) Error() string {
	paths := e.Paths
	more := ""
	if len(paths) > 5 {
		more = fmt.Sprintf(" and %d more", len(paths)-5)
		paths = paths[:5]
	}
	if e.Rewritten {
		return "the history of the branch was rewritten on the Hub and the commit that the changes lie on is gone, so what others did to them cannot be told: " +
			strings.Join(paths, ", ") + more
	}
	return "changed here and on the Hub: " + strings.Join(paths, ", ") + more
}

// Is matches remote.ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == remote.ErrConflict }

// sides says what both did at the paths of a conflict. The plan may be nil.
func (w *Worktree) sides(ctx context.Context, paths []string, p *plan, t *theirs) []Side {
	items := make(map[string]*item)
	dels := make(map[string]bool)
	if p != nil {
		for _, it := range p.items {
			items[it.path] = it
		}
		for _, d := range p.deletes {
			dels[d] = true
		}
	}
	sides := make([]Side, 0, len(paths))
	for _, q := range paths {
		s := Side{Path: q}
		s.Theirs, s.TheirSize = t.did(q)
		_, had := t.old[q]
		switch it := items[q]; {
		case it != nil:
			s.Ours, s.OurSize = "add", it.size
			if it.had || had {
				s.Ours = "change"
			}
		case dels[q]:
			s.Ours = "delete"
		default:
			s.Ours, s.OurSize = w.did(q, had)
		}
		sides = append(sides, s)
	}
	w.authors(ctx, sides, t)
	return sides
}

// did says what is staged at a path that no plan has.
func (w *Worktree) did(p string, had bool) (string, int64) {
	w.mu.RLock()
	var k *kid
	if d, name := w.find(p); d != nil {
		k = d.kids[name]
	}
	w.mu.RUnlock()
	op := "add"
	if had {
		op = "change"
	}
	switch {
	case k == nil:
		return "", 0
	case k.dir != nil:
		return "mkdir", 0
	case k.gone():
		return "delete", 0
	case k.file != nil:
		size, _ := k.file.look()
		return op, size
	case k.ref != nil:
		return op, k.ref.entry.Size
	}
	return op, 0
}

// did says what others did to a path.
func (t *theirs) did(p string) (string, int64) {
	now, is := t.now[p]
	_, was := t.old[p]
	switch {
	case is && was:
		return "change", now.Size
	case is && t.blind:
		return "", now.Size // it may have been there
	case is:
		return "add", now.Size
	case was:
		return "delete", 0
	}
	for q := range t.now {
		if below(q, p) {
			for o := range t.old {
				if below(o, p) {
					return "change", 0
				}
			}
			return "mkdir", 0
		}
	}
	return "", 0
}

// authorsOf is how many of the branch's latest commits are looked at to tell
// which of them did theirs. Each costs the listing of a tree.
const authorsOf = 8

// authors finds which commits did theirs, as far as that is cheap. A conflict
// is one without it, too.
func (w *Worktree) authors(ctx context.Context, sides []Side, t *theirs) {
	if t.head == nil {
		return
	}
	repo := t.head.Repo()
	repo.Rev = t.head.Commit() // where the branch was when theirs was compared
	var commits []remote.CommitInfo
	for c, err := range w.s.o.Client.Commits(ctx, repo) {
		if err != nil || c.ID == t.base || len(commits) > authorsOf {
			break
		}
		commits = append(commits, c)
	}
	at := func(commit, p string) string {
		e, err := w.s.o.Client.SnapshotAt(repo, commit, t.head.Date()).Stat(ctx, p)
		if err != nil {
			return ""
		}
		if e.Dir {
			return "directory"
		}
		return e.Blob.ID
	}
	for i := range sides {
		s := &sides[i]
		for n, c := range commits {
			before := t.base
			if n+1 < len(commits) {
				before = commits[n+1].ID
			} else if n == authorsOf {
				break // what was before it was not looked at
			}
			if len(commits) > 1 && before != "" && at(c.ID, s.Path) == at(before, s.Path) {
				continue
			}
			s.TheirCommit, s.TheirTitle, s.TheirDate, s.TheirAuthor = c.ID, c.Title, c.Date, strings.Join(c.Authors, ", ")
			break
		}
	}
}
