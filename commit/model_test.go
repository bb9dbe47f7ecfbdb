package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A model is a tree as a disk would have it. Directories have kids, files
// have content.
type model struct {
	dir     bool
	content string
	kids    map[string]*model
}

func newModel() *model { return &model{dir: true, kids: map[string]*model{}} }

func (m *model) find(p string) *model {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" {
			continue
		}
		if m == nil || !m.dir {
			return nil
		}
		m = m.kids[part]
	}
	return m
}

func (m *model) put(p, content string) bool {
	for {
		name, rest, more := strings.Cut(p, "/")
		if !more {
			if k := m.kids[name]; k != nil && k.dir {
				return false
			}
			m.kids[name] = &model{content: content}
			return true
		}
		k := m.kids[name]
		if k == nil {
			k = newModel()
			m.kids[name] = k
		}
		if !k.dir {
			return false
		}
		m, p = k, rest
	}
}

func (m *model) mkdirs(p string) {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" {
			continue
		}
		if m.kids[part] == nil {
			m.kids[part] = newModel()
		}
		m = m.kids[part]
	}
}

func (m *model) view(at string, out map[string]string) map[string]string {
	for name, k := range m.kids {
		p := join(at, name)
		if k.dir {
			out[p+"/"] = ""
			k.view(p, out)
		} else {
			out[p] = k.content
		}
	}
	return out
}

func (m *model) dirs(at string, out []string) []string {
	out = append(out, at)
	for _, name := range slices.Sorted(maps.Keys(m.kids)) {
		if k := m.kids[name]; k.dir {
			out = k.dirs(join(at, name), out)
		}
	}
	return out
}

func (m *model) contains(o *model) bool {
	if m == o {
		return true
	}
	for _, k := range m.kids {
		if k.contains(o) {
			return true
		}
	}
	return false
}

// rename does what renameat2(2) does, and gives its error.
func rename(from *model, name string, to *model, newName string, flags uint) error {
	src, dst := from.kids[name], to.kids[newName]
	switch {
	case src == nil:
		return syscall.ENOENT
	case flags == Exchange && dst == nil:
		return syscall.ENOENT
	case flags == NoReplace && dst != nil:
		return syscall.EEXIST
	case src.dir && src.contains(to):
		return syscall.EINVAL
	case dst != nil && dst.dir && dst.contains(from):
		if flags == Exchange {
			return syscall.EINVAL
		}
		return syscall.ENOTEMPTY
	case from == to && name == newName:
		return nil
	case flags == Exchange:
		from.kids[name], to.kids[newName] = dst, src
		return nil
	case dst != nil && src.dir && !dst.dir:
		return syscall.ENOTDIR
	case dst != nil && !src.dir && dst.dir:
		return syscall.EISDIR
	case dst != nil && dst.dir && len(dst.kids) > 0:
		return syscall.ENOTEMPTY
	}
	delete(from.kids, name)
	to.kids[newName] = src
	return nil
}

// misplaced is a directory in d that is taken to be the base's where d shows
// nothing of the base.
func misplaced(d *Dir, at string) string {
	for name, k := range d.kids {
		if k.dir == nil {
			continue
		}
		p := join(at, name)
		if k.through != nil && !d.shows(name, k.dir.origin) {
			return p
		}
		if p = misplaced(k.dir, p); p != "" {
			return p
		}
	}
	return ""
}

// TestModel compares a worktree with a tree on a disk, over random operations
// on few names, with crashes, restarts, commits, commits of others, and
// commits during which operations go on.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { checkModel(t, rt) })
}

// TestModelParts does the same with commits of parts, and of everything to pull
// requests: no name is lost by them, none has other bytes, and in the end all is
// on the Hub.
func TestModelParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { checkModel(t, rt, "part", "part", "pull", "split") })
}

func checkModel(t *testing.T, rt *rapid.T, more ...string) {
	dir, err := os.MkdirTemp("", "hubfs-model-")
	if err != nil {
		rt.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := makeWorld(t, dir)
	defer w.end()
	r := w.hub.Repo("acme/m")
	m := newModel()
	m.put(".gitattributes", string(r.Read("main", ".gitattributes")))
	start := map[string]string{"a/a": "1", "a/b/c": "2", "b": "3", "c/a": "1", "c/c.bin": "\x00\x01" + pattern(40)}
	for p, c := range start {
		m.put(p, c)
	}
	r.Commit("main", "start", start)
	tr := w.tree("acme/m")

	names := rapid.SampledFrom([]string{"a", "b", "c", "c.bin"})
	count := 0
	// objects are directory objects with the model's node for each: they stay together.
	type pair struct {
		d *Dir
		m *model
	}
	var objects []pair
	pick := func(label string) (*Dir, *model, string) {
		dirs := m.dirs("", nil)
		p := rapid.SampledFrom(dirs).Draw(rt, label)
		md := m.find(p)
		for _, o := range objects {
			if o.m == md && !o.d.dead {
				if got := o.d.Path(); got != p {
					rt.Fatalf("the directory of %q is at %q", p, got)
				}
				return o.d, md, p
			}
		}
		d := tr.Root()
		if p != "" {
			pd, name := at(t, tr, p)
			n, err := pd.Lookup(ctx, name)
			if err != nil || n.Dir == nil {
				rt.Fatalf("%s: %+v, %v", p, n, err)
			}
			d = n.Dir
		}
		objects = append(objects, pair{d, md})
		return d, md, p
	}
	same := func(op string, got, want error) {
		if want == nil && got == nil {
			return
		}
		if want == nil || !errors.Is(got, want) {
			rt.Fatalf("%s: %v, want %v", op, got, want)
		}
	}
	placed := func(where string) {
		if p := misplaced(tr.root, ""); p != "" {
			rt.Fatalf("%s: the journal would not have the directory %s, which the base does not have", where, p)
		}
	}
	compare := func(where string) {
		placed(where)
		want, got := m.view("", map[string]string{}), view(t, tr)
		delete(want, attributes) // the Hub adds to it
		delete(got, attributes)
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("%s (-want +got):\n%s", where, d)
		}
	}
	again := func() {
		objects = nil
		tr = w.tree("acme/m")
	}

	one := func() {
		d, md, _ := pick("dir")
		name := names.Draw(rt, "name")
		switch op := rapid.SampledFrom([]string{"save", "save", "edit", "unlink", "unlink", "mkdir", "rmdir", "rename", "rename", "rename"}).Draw(rt, "op"); op {
		case "save", "edit":
			count++
			text := fmt.Sprintf("text %d", count)
			if rapid.IntRange(0, 2).Draw(rt, "known content") == 0 {
				text = "1" // as a/a at the start
			}
			k := md.kids[name]
			var f *File
			var err error
			flags := os.O_TRUNC
			if op == "save" {
				f, err = d.Create(ctx, name, 0o644, false)
			} else {
				flags = os.O_APPEND
				f, err = d.Edit(ctx, name, false)
			}
			switch {
			case k != nil && k.dir:
				same(op, err, syscall.EISDIR)
				return
			case k == nil && op == "edit":
				same(op, err, syscall.ENOENT)
				return
			case k == nil:
				k = &model{}
				md.kids[name] = k
			}
			if err != nil {
				rt.Fatal(op, err)
			}
			write(t, f, text, flags)
			if op == "edit" {
				text = k.content + text
			}
			k.content = text
		case "unlink":
			k := md.kids[name]
			var want error
			switch {
			case k == nil:
				want = syscall.ENOENT
			case k.dir:
				want = syscall.EISDIR
			default:
				delete(md.kids, name)
			}
			same(op, d.Unlink(ctx, name), want)
		case "mkdir":
			var want error
			if md.kids[name] != nil {
				want = fs.ErrExist
			} else {
				md.kids[name] = newModel()
			}
			_, err := d.Mkdir(ctx, name, 0o755)
			same(op, err, want)
		case "rmdir":
			k := md.kids[name]
			var want error
			switch {
			case k == nil:
				want = syscall.ENOENT
			case !k.dir:
				want = syscall.ENOTDIR
			case len(k.kids) > 0:
				want = syscall.ENOTEMPTY
			default:
				delete(md.kids, name)
			}
			same(op, d.Rmdir(ctx, name), want)
		case "rename":
			to, mto, _ := pick("to")
			newName := names.Draw(rt, "new name")
			flags := rapid.SampledFrom([]uint{0, 0, NoReplace, Exchange}).Draw(rt, "flags")
			want := rename(md, name, mto, newName, flags)
			same(op, d.Rename(ctx, name, to, newName, flags), want)
		}
	}
	// during makes changes between plan and end of a commit, as it may happen to anybody.
	during := func() func(Event) {
		n := rapid.IntRange(1, 4).Draw(rt, "during")
		done := false
		return func(e Event) {
			if !done && e.Phase == "commit" { // on this goroutine
				done = true
				for range n {
					one()
				}
			}
		}
	}
	ignore := func() []string {
		return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*/a", "*/b", "a/*", "b/", "c", "*c", "*.bin", "?/?/*"}), 1, 3).Draw(rt, "ignore")
	}
	commitNow := func(late bool) {
		if late {
			if res, err := tr.Commit(ctx, CommitOptions{Progress: during()}); err != nil {
				rt.Fatalf("%+v, %v", res, err)
			}
		} else if res, err := tr.Commit(ctx, CommitOptions{}); err != nil {
			var c *ConflictError
			if !errors.As(err, &c) {
				rt.Fatalf("%+v, %v", res, err)
			}
			rt.Fatalf("a conflict about %v", c.Paths)
		}
	}

	steps := rapid.IntRange(5, 40).Draw(rt, "steps")
	for range steps {
		steps := append([]string{"op", "op", "op", "op", "op", "op", "op", "crash", "restart", "commit", "commit during", "theirs"}, more...)
		switch rapid.SampledFrom(steps).Draw(rt, "step") {
		case "part":
			o := CommitOptions{Ignore: ignore()}
			before := remoteFiles(r)
			if res, err := tr.Commit(ctx, o); err != nil {
				rt.Fatalf("%+v, %v", res, err)
			}
			compare("after a part")
			wanted, got := files(m.view("", map[string]string{})), remoteFiles(r)
			for p, c := range got {
				if c != before[p] && c != wanted[p] {
					rt.Fatalf("%s is %q on the Hub: neither %q nor %q", p, c, before[p], wanted[p])
				}
			}
			f, err := newFilter(nil, o.Ignore)
			if err != nil {
				rt.Fatal(err)
			}
			for p := range before {
				if _, there := got[p]; !there && (wanted[p] != "" || f.reason(p) != "") {
					rt.Fatalf("%s is gone from the Hub", p)
				}
			}
		case "split":
			w.store.maxInline = 30
			res, err := tr.Commit(ctx, CommitOptions{Split: true})
			w.store.maxInline = maxInline
			var large *TooLargeError
			if err != nil && !errors.As(err, &large) {
				rt.Fatalf("%+v, %v", res, err)
			}
			compare("after a split")
			if err == nil && tr.BaseCommit() == r.Head("main") {
				if d := cmp.Diff(files(m.view("", map[string]string{})), remoteFiles(r)); d != "" {
					rt.Fatalf("the Hub has something else after a split (-want +got):\n%s", d)
				}
			}
		case "pull":
			base := tr.BaseCommit()
			wanted := files(m.view("", map[string]string{}))
			o := CommitOptions{CreatePR: true}
			kind := rapid.SampledFrom([]string{"", "part", "during"}).Draw(rt, "kind")
			switch kind {
			case "part":
				o.Ignore = ignore()
			case "during":
				o.Progress = during()
			}
			res, err := tr.Commit(ctx, o)
			if err != nil {
				rt.Fatalf("%+v, %v", res, err)
			}
			if res.Unchanged {
				continue
			}
			placed("after a pull request")
			pulled, got := filesAt(r, res.Branch), view(t, tr)
			if kind == "" {
				if d := cmp.Diff(wanted, pulled); d != "" {
					rt.Fatalf("the pull request has something else (-want +got):\n%s", d)
				}
				if d := cmp.Diff(filesAt(r, base), files(got)); d != "" || tr.BaseCommit() != base {
					rt.Fatalf("after a pull request (-want +got):\n%s", d)
				}
			}
			for p, c := range files(m.view("", map[string]string{})) {
				if got[p] != c && pulled[p] != c {
					rt.Fatalf("%s is neither staged nor in the pull request: %q, %q, want %q", p, got[p], pulled[p], c)
				}
			}
			m, objects = newModel(), nil
			for p, c := range got {
				if dir, ok := strings.CutSuffix(p, "/"); ok {
					m.mkdirs(dir)
				} else {
					m.mkdirs(parentOf(p))
					m.put(p, c)
				}
			}
			if rapid.Bool().Draw(rt, "crash then") {
				w.crash()
				w.open()
				again()
			}
		case "op":
			one()
		case "crash":
			w.crash()
			w.open()
			again()
			compare("after a crash")
		case "restart":
			w.reopen()
			again()
			// Empty directories may not be there any more.
			got := view(t, tr)
			for _, p := range slices.Backward(m.dirs("", nil)) {
				if _, ok := got[p+"/"]; p != "" && !ok && len(m.find(p).kids) == 0 {
					delete(m.find(parentOf(p)).kids, path.Base(p))
				}
			}
			compare("after a restart")
		case "commit":
			commitNow(false)
			if !tr.Dirty() && tr.BaseCommit() == r.Head("main") {
				if d := cmp.Diff(files(m.view("", map[string]string{})), remoteFiles(r)); d != "" {
					rt.Fatalf("the Hub has something else (-want +got):\n%s", d)
				}
			}
			compare("after a commit")
		case "commit during":
			commitNow(true)
			compare("after a commit with operations")
		case "theirs":
			count++
			p := rapid.SampledFrom([]string{"their", "a/their", "b/their", "x/their"}).Draw(rt, "their path")
			there := r.Files("main")
			if _, ok := there[parentOf(p)]; ok {
				continue // a file is there
			}
			if _, ok := there[p]; ok {
				continue // moved by us, perhaps: then a conflict
			}
			if k := m.find(parentOf(p)); parentOf(p) != "" && k != nil && !k.dir {
				continue // would be a conflict
			}
			if k := m.find(p); k != nil {
				continue
			}
			text := fmt.Sprintf("their text %d", count)
			r.Commit("main", "theirs", map[string]string{p: text})
			commitNow(false)
			if tr.BaseCommit() != r.Head("main") {
				// There was nothing of ours to be committed: it comes with the next opening.
				compare("before it is opened again")
				w.crash()
				w.open()
				again()
			}
			if !m.put(p, text) {
				rt.Fatalf("%s does not fit", p)
			}
		}
		compare("after a step")
	}
}
