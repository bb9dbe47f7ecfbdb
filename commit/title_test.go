package commit

import "testing"

// A commit that was given no title says what it does, in one line.
func TestTitle(t *testing.T) {
	tests := map[string]struct {
		do   func(*Worktree)
		want string
	}{
		"add":        {func(w *Worktree) { save(t, w, "new", "n") }, "Add new"},
		"update":     {func(w *Worktree) { save(t, w, "a", "changed") }, "Update a"},
		"delete":     {func(w *Worktree) { rm(t, w, "a") }, "Delete a"},
		"rename":     {func(w *Worktree) { mv(t, w, "a", "d/b") }, "Rename a to d/b"},
		"rename all": {func(w *Worktree) { mv(t, w, "d", "e") }, "Rename 2 files"},
		"rename one of a tree": {func(w *Worktree) {
			mv(t, w, "d", "e")
			rm(t, w, "e/2")
		}, "Add 1 file, delete 2 files"},
		"rename and edit": {func(w *Worktree) {
			mv(t, w, "a", "b")
			save(t, w, "b", "other")
		}, "Add 1 file, delete 1 file"},
		"rename over": {func(w *Worktree) { mv(t, w, "a", "d/1") }, "Update 1 file, delete 1 file"},
		"all": {func(w *Worktree) {
			save(t, w, "new", "n")
			save(t, w, "newer", "n")
			save(t, w, "a", "changed")
			rm(t, w, "d/1")
		}, "Add 2 files, update 1 file, delete 1 file"},
		"two":         {func(w *Worktree) { save(t, w, "new", "n"); save(t, w, "newer", "n") }, "Add 2 files"},
		"lines":       {func(w *Worktree) { save(t, w, "x\nSigned-off-by: y\x1b[1m\u2028\u202e", "n") }, "Add x?Signed-off-by: y?[1m??"},
		"other words": {func(w *Worktree) { save(t, w, "naïve 文 👩\u200d🚀", "n") }, "Add naïve 文 👩\u200d🚀"},
	}
	w := newWorld(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := "acme/" + string(rune('a'+len(w.store.Opened())))
			r := w.hub.Repo(id)
			r.Commit("main", "start", map[string]string{"a": "a", "d/1": "1", "d/2": "2"})
			tr := w.tree(id)
			tt.do(tr)
			commitAll(t, tr)
			if got := r.Log("main")[0].Title; got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
