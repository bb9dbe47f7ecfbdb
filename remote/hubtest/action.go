package hubtest

import "strings"

var (
	gets    = []string{"GET"}
	posts   = []string{"POST"}
	changes = []string{"POST", "DELETE"}
)

// apiAction is what follows /api/TYPE/NS/NAME.
func (h *Hub) apiAction(tail []string) (kind string, f repoHandler, methods []string) {
	if len(tail) == 0 {
		return KindInfo, func(c *call, r *Repo, s *state) error { return c.info(r, s, "") }, gets
	}
	arg := ""
	if len(tail) > 1 {
		arg = tail[1]
	}
	// one is for the routes that take exactly one more segment.
	one := func(kind string, f func(c *call, r *Repo, s *state, arg string) error, methods []string) (string, repoHandler, []string) {
		if len(tail) != 2 || arg == "" {
			return KindOther, nil, nil
		}
		return kind, func(c *call, r *Repo, s *state) error { return f(c, r, s, arg) }, methods
	}
	switch tail[0] {
	case "revision":
		return one(KindInfo, (*call).info, gets)
	case "paths-info":
		return one(KindPaths, (*call).pathsInfo, posts)
	case "commits":
		return one(KindCommits, (*call).commits, gets)
	case "preupload":
		return one(KindPreupload, (*call).preupload, posts)
	case "commit":
		return one(KindCommit, (*call).commit, posts)
	case "branch":
		return one(KindAdmin, (*call).branch, changes)
	case "tag":
		return one(KindAdmin, (*call).tag, changes)
	case "super-squash":
		return one(KindAdmin, (*call).squash, posts)
	case "tree":
		if arg == "" {
			return KindOther, nil, nil
		}
		dir := strings.Trim(strings.Join(tail[2:], "/"), "/")
		return KindTree, func(c *call, r *Repo, s *state) error { return c.tree(r, s, arg, dir) }, gets
	case "treesize":
		dir := strings.Trim(strings.Join(tail[min(2, len(tail)):], "/"), "/")
		return KindTree, func(c *call, r *Repo, s *state) error { return c.treeSize(r, s, arg, dir) }, gets
	case "discussions":
		return KindDiscussion, func(c *call, r *Repo, s *state) error {
			return c.discussions(r, s, tail[1:])
		}, []string{"GET", "POST"}
	}
	switch strings.Join(tail, "/") {
	case "refs":
		return KindRefs, (*call).refs, gets
	case "settings":
		return KindAdmin, (*call).settings, []string{"PUT"}
	case "duplicate":
		return KindCreate, (*call).duplicate, posts
	case "auth-check":
		return KindOther, (*call).authCheck, gets
	case "auth-check/write":
		return KindOther, (*call).authCheckWrite, gets
	case "lfs-files":
		return KindAdmin, (*call).lfsFiles, gets
	case "lfs-files/duplicate":
		return KindAdmin, (*call).lfsDuplicate, posts
	}
	return KindOther, nil, nil
}
