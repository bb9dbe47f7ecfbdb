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
	"github.com/hubfs/hubfs/remote/hubtest"
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
	rapid.Check(t, func(rt *rapid.T) { checkModel(t, rt, "part", "part", "pull", "split", "discard") })
}

// A modelCheck is one run: a worktree, and what it must be like.
type modelCheck struct {
	t       *testing.T
	rt      *rapid.T
	w       *world
	r       *hubtest.Repo
	tr      *Worktree
	m       *model
	count   int // of contents made
	objects []modelDir
}

// A modelDir is a directory object with the model's node for it: they stay together.
type modelDir struct {
	d *Dir
	m *model
}

var modelNames = rapid.SampledFrom([]string{"a", "b", "c", "c.bin"})

func checkModel(t *testing.T, rt *rapid.T, more ...string) {
	dir, err := os.MkdirTemp("", "hubfs-model-")
	if err != nil {
		rt.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c := &modelCheck{t: t, rt: rt, w: makeWorld(t, dir), m: newModel()}
	defer c.w.end()
	c.r = c.w.hub.Repo("acme/m")
	c.m.put(".gitattributes", string(c.r.Read("main", ".gitattributes")))
	start := map[string]string{"a/a": "1", "a/b/c": "2", "b": "3", "c/a": "1", "c/c.bin": "\x00\x01" + pattern(40)}
	for p, text := range start {
		c.m.put(p, text)
	}
	c.r.Commit("main", "start", start)
	c.again()
	kinds := append([]string{"op", "op", "op", "op", "op", "op", "op", "crash", "restart", "commit", "commit during", "theirs"}, more...)
	for range rapid.IntRange(5, 40).Draw(rt, "steps") {
		c.step(rapid.SampledFrom(kinds).Draw(rt, "step"))
		c.compare("after a step")
	}
}

func (c *modelCheck) step(kind string) {
	switch kind {
	case "op":
		c.one()
	case "part":
		c.part()
	case "split":
		c.split()
	case "pull":
		c.pull()
	case "discard":
		c.discard()
	case "theirs":
		c.theirs()
	case "crash":
		c.crash()
		c.compare("after a crash")
	case "restart":
		c.restart()
	case "commit":
		c.commit()
		if !c.tr.Dirty() && c.tr.BaseCommit() == c.r.Head("main") {
			c.onHub("after a commit")
		}
		c.compare("after a commit")
	case "commit during":
		if res, err := c.tr.Commit(ctx, CommitOptions{Progress: c.during()}); err != nil {
			c.rt.Fatalf("%+v, %v", res, err)
		}
		c.compare("after a commit with operations")
	}
}

// again takes the worktree of a store that was opened again.
func (c *modelCheck) again() {
	c.objects = nil
	c.tr = c.w.tree("acme/m")
}

func (c *modelCheck) crash() {
	c.w.crash()
	c.w.open()
	c.again()
}

// pick chooses a directory. One that was chosen before is the same object still.
func (c *modelCheck) pick(label string) (*Dir, *model, string) {
	dirs := c.m.dirs("", nil)
	p := rapid.SampledFrom(dirs).Draw(c.rt, label)
	md := c.m.find(p)
	for _, o := range c.objects {
		if o.m == md && !o.d.dead {
			if got := o.d.Path(); got != p {
				c.rt.Fatalf("the directory of %q is at %q", p, got)
			}
			return o.d, md, p
		}
	}
	d := c.tr.Root()
	if p != "" {
		pd, name := at(c.t, c.tr, p)
		n, err := pd.Lookup(ctx, name)
		if err != nil || n.Dir == nil {
			c.rt.Fatalf("%s: %+v, %v", p, n, err)
		}
		d = n.Dir
	}
	c.objects = append(c.objects, modelDir{d, md})
	return d, md, p
}

func (c *modelCheck) same(op string, got, want error) {
	if want == nil && got == nil {
		return
	}
	if want == nil || !errors.Is(got, want) {
		c.rt.Fatalf("%s: %v, want %v", op, got, want)
	}
}

func (c *modelCheck) placed(where string) {
	if p := misplaced(c.tr.root, ""); p != "" {
		c.rt.Fatalf("%s: the journal would not have the directory %s, which the base does not have", where, p)
	}
}

func (c *modelCheck) compare(where string) {
	c.placed(where)
	want, got := c.m.view("", map[string]string{}), view(c.t, c.tr)
	delete(want, attributes) // the Hub adds to it
	delete(got, attributes)
	if d := cmp.Diff(want, got); d != "" {
		c.rt.Fatalf("%s (-want +got):\n%s", where, d)
	}
}

// files are those that there should be.
func (c *modelCheck) files() map[string]string { return files(c.m.view("", map[string]string{})) }

// onHub wants the branch to have them.
func (c *modelCheck) onHub(where string) {
	if d := cmp.Diff(c.files(), remoteFiles(c.r)); d != "" {
		c.rt.Fatalf("the Hub has something else %s (-want +got):\n%s", where, d)
	}
}

// one does an operation to both.
func (c *modelCheck) one() {
	d, md, _ := c.pick("dir")
	name := modelNames.Draw(c.rt, "name")
	switch op := rapid.SampledFrom([]string{"save", "save", "edit", "unlink", "unlink", "mkdir", "rmdir", "rename", "rename", "rename"}).Draw(c.rt, "op"); op {
	case "save", "edit":
		c.write(op, d, md, name)
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
		c.same(op, d.Unlink(ctx, name), want)
	case "mkdir":
		var want error
		if md.kids[name] != nil {
			want = fs.ErrExist
		} else {
			md.kids[name] = newModel()
		}
		_, err := d.Mkdir(ctx, name, 0o755)
		c.same(op, err, want)
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
		c.same(op, d.Rmdir(ctx, name), want)
	case "rename":
		to, mto, _ := c.pick("to")
		newName := modelNames.Draw(c.rt, "new name")
		flags := rapid.SampledFrom([]uint{0, 0, NoReplace, Exchange}).Draw(c.rt, "flags")
		want := rename(md, name, mto, newName, flags)
		c.same(op, d.Rename(ctx, name, to, newName, flags), want)
	}
}

// write saves a file, or appends to one.
func (c *modelCheck) write(op string, d *Dir, md *model, name string) {
	c.count++
	text := fmt.Sprintf("text %d", c.count)
	if rapid.IntRange(0, 2).Draw(c.rt, "known content") == 0 {
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
		c.same(op, err, syscall.EISDIR)
		return
	case k == nil && op == "edit":
		c.same(op, err, syscall.ENOENT)
		return
	case k == nil:
		k = &model{}
		md.kids[name] = k
	}
	if err != nil {
		c.rt.Fatal(op, err)
	}
	write(c.t, f, text, flags)
	if op == "edit" {
		text = k.content + text
	}
	k.content = text
}

// during does operations between plan and end of a commit, as it may happen to anybody.
func (c *modelCheck) during() func(Event) {
	n := rapid.IntRange(1, 4).Draw(c.rt, "during")
	done := false
	return func(e Event) {
		if !done && e.Phase == "commit" { // on this goroutine
			done = true
			for range n {
				c.one()
			}
		}
	}
}

func (c *modelCheck) ignore() []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*/a", "*/b", "a/*", "b/", "c", "*c", "*.bin", "?/?/*"}), 1, 3).Draw(c.rt, "ignore")
}

func (c *modelCheck) commit() {
	res, err := c.tr.Commit(ctx, CommitOptions{})
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		c.rt.Fatalf("a conflict about %v", conflict.Paths)
	}
	if err != nil {
		c.rt.Fatalf("%+v, %v", res, err)
	}
}

// part commits a part: what the Hub has then of a path it had before, or should have.
func (c *modelCheck) part() {
	o := CommitOptions{Ignore: c.ignore()}
	before := remoteFiles(c.r)
	if res, err := c.tr.Commit(ctx, o); err != nil {
		c.rt.Fatalf("%+v, %v", res, err)
	}
	c.compare("after a part")
	wanted, got := c.files(), remoteFiles(c.r)
	for p, text := range got {
		if text != before[p] && text != wanted[p] {
			c.rt.Fatalf("%s is %q on the Hub: neither %q nor %q", p, text, before[p], wanted[p])
		}
	}
	f, err := newFilter(nil, o.Ignore)
	if err != nil {
		c.rt.Fatal(err)
	}
	for p := range before {
		if _, there := got[p]; !there && (wanted[p] != "" || f.reason(p) != "") {
			c.rt.Fatalf("%s is gone from the Hub", p)
		}
	}
}

func (c *modelCheck) split() {
	c.w.store.maxInline = 30
	res, err := c.tr.Commit(ctx, CommitOptions{Split: true})
	c.w.store.maxInline = maxInline
	var large *TooLargeError
	if err != nil && !errors.As(err, &large) {
		c.rt.Fatalf("%+v, %v", res, err)
	}
	c.compare("after a split")
	if err == nil && c.tr.BaseCommit() == c.r.Head("main") {
		c.onHub("after a split")
	}
}

// pull sends the work to a pull request: what is staged no more is in it.
func (c *modelCheck) pull() {
	base := c.tr.BaseCommit()
	wanted := c.files()
	o := CommitOptions{CreatePR: true}
	kind := rapid.SampledFrom([]string{"", "part", "during"}).Draw(c.rt, "kind")
	switch kind {
	case "part":
		o.Ignore = c.ignore()
	case "during":
		o.Progress = c.during()
	}
	res, err := c.tr.Commit(ctx, o)
	if err != nil {
		c.rt.Fatalf("%+v, %v", res, err)
	}
	if res.Unchanged {
		return
	}
	c.placed("after a pull request")
	pulled, got := filesAt(c.r, res.Branch), view(c.t, c.tr)
	if kind == "" {
		if d := cmp.Diff(wanted, pulled); d != "" {
			c.rt.Fatalf("the pull request has something else (-want +got):\n%s", d)
		}
		if d := cmp.Diff(filesAt(c.r, base), files(got)); d != "" || c.tr.BaseCommit() != base {
			c.rt.Fatalf("after a pull request (-want +got):\n%s", d)
		}
	}
	for p, text := range c.files() {
		if got[p] != text && pulled[p] != text {
			c.rt.Fatalf("%s is neither staged nor in the pull request: %q, %q, want %q", p, got[p], pulled[p], text)
		}
	}
	c.learn(got)
	if rapid.Bool().Draw(c.rt, "crash then") {
		c.crash()
	}
}

// learn makes the model what is seen.
func (c *modelCheck) learn(got map[string]string) {
	c.m, c.objects = newModel(), nil
	for p, text := range got {
		if dir, ok := strings.CutSuffix(p, "/"); ok {
			c.m.mkdirs(dir)
		} else {
			c.m.mkdirs(parentOf(p))
			c.m.put(p, text)
		}
	}
}

// discard drops what is staged at a path and below: from then on it is as it is
// seen, also after a crash and for the Hub.
func (c *modelCheck) discard() {
	staged := c.tr.Status(ctx).Staged
	if len(staged) == 0 {
		return
	}
	p := rapid.SampledFrom(staged).Draw(c.rt, "discarded").Path
	if rapid.Bool().Draw(c.rt, "with what is beside it") {
		p = parentOf(p)
	}
	if _, err := c.tr.Discard(ctx, p); err != nil {
		c.rt.Fatal(p, err)
	}
	c.placed("after a discard")
	c.learn(view(c.t, c.tr))
}

func (c *modelCheck) restart() {
	c.w.reopen()
	c.again()
	// Empty directories may not be there any more.
	got := view(c.t, c.tr)
	for _, p := range slices.Backward(c.m.dirs("", nil)) {
		if _, ok := got[p+"/"]; p != "" && !ok && len(c.m.find(p).kids) == 0 {
			delete(c.m.find(parentOf(p)).kids, path.Base(p))
		}
	}
	c.compare("after a restart")
}

// theirs has others commit a file that is in nobody's way.
func (c *modelCheck) theirs() {
	c.count++
	p := rapid.SampledFrom([]string{"their", "a/their", "b/their", "x/their"}).Draw(c.rt, "their path")
	there := c.r.Files("main")
	if _, ok := there[parentOf(p)]; ok {
		return // a file is there
	}
	if _, ok := there[p]; ok {
		return // moved by us, perhaps: then a conflict
	}
	if k := c.m.find(parentOf(p)); parentOf(p) != "" && k != nil && !k.dir {
		return // would be a conflict
	}
	if k := c.m.find(p); k != nil {
		return
	}
	text := fmt.Sprintf("their text %d", c.count)
	c.r.Commit("main", "theirs", map[string]string{p: text})
	c.commit()
	if c.tr.BaseCommit() != c.r.Head("main") {
		// There was nothing of ours to be committed: it comes with the next opening.
		c.compare("before it is opened again")
		c.crash()
	}
	if !c.m.put(p, text) {
		c.rt.Fatalf("%s does not fit", p)
	}
}
