package commit

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A tape is a disk that remembers in which order everything was done to it, so
// that it can say what may be left after the power was cut at any moment. It
// grants what POSIX does and no more: the bytes of a file are there after an
// fsync of it, a name is after an fsync of its directory. All else may be there
// or not, each on its own, and bytes in pieces of a sector. Replacing a name is
// atomic, and a rename never takes the old name without having put the new.
type tape struct {
	t    testing.TB
	top  string        // everything recorded is below
	now  func() string // the hub's head at an event
	mu   sync.Mutex
	dead bool // the process was killed: it has no more effects
	dies int  // after so many more effects it is; 0 = never

	events []event
	nodes  []*node
	byIno  map[uint64]*node
	root   *node
}

// A node is a file or directory, as it is on the running system.
type node struct {
	id   int
	dir  bool
	kids map[string]*node
	size int64

	journal bool // or was one
}

type eventKind int

const (
	evName     eventKind = iota // name in dir means node now, nil = nothing
	evRename                    // two names: name in dir means nothing, to in toDir means node
	evWrite                     // data at off
	evTruncate                  // size off
	evSync                      // what was done to node up to event off is durable
	evMark                      // of the test: see mark
)

type event struct {
	kind       eventKind
	node       *node
	dir, toDir *node
	name, to   string
	off        int64
	data       []byte
	mark       any
	head       string
}

func newTape(t testing.TB, top string) *tape {
	p := &tape{t: t, top: top, byIno: make(map[uint64]*node), now: func() string { return "" }}
	p.root = p.newNode(true)
	p.learn(top, p.root)
	return p
}

func (p *tape) newNode(dir bool) *node {
	n := &node{id: len(p.nodes), dir: dir}
	if dir {
		n.kids = make(map[string]*node)
	}
	p.nodes = append(p.nodes, n)
	return n
}

func (p *tape) add(e event) {
	if e.node != nil && !e.node.dir && (e.name == journalName || strings.HasPrefix(e.name, journalName+".")) {
		e.node.journal = true
	}
	e.head = p.now()
	p.events = append(p.events, e)
}

// mark notes down something of the test at this moment.
func (p *tape) mark(m any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(event{kind: evMark, mark: m})
}

// walk finds the directory of a path and its last name. What was there before
// the recording is durable.
func (p *tape) walk(path string) (*node, string) {
	rel, err := filepath.Rel(p.top, path)
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		return nil, ""
	}
	d := p.root
	parts := strings.Split(rel, "/")
	for _, name := range parts[:len(parts)-1] {
		k := d.kids[name]
		if k == nil {
			k = p.newNode(true)
			d.kids[name] = k
			p.add(event{kind: evName, dir: d, name: name, node: k})
			p.sync(d)
		}
		d = k
	}
	return d, parts[len(parts)-1]
}

// of is the node of an open file; nil if it is none that was recorded.
func (p *tape) of(f *os.File) *node {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		p.t.Error("recording:", err)
		return nil
	}
	return p.byIno[st.Ino]
}

func (p *tape) learn(path string, n *node) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		p.t.Error("recording:", err)
		return
	}
	p.byIno[st.Ino] = n
}

// around records an effect of the package. No sync reaches the real disk.
func (p *tape) around(e effect, do func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone() {
		return errKilled
	}
	if e.op == effSync {
		p.sync(p.of(e.file))
		return nil
	}
	var data []byte
	if e.op == effClone {
		data = contentOf(p.t, e.from)
	}
	if err := do(); err != nil {
		return err
	}
	switch e.op {
	case effMkdir, effCreate:
		dir, name := p.walk(e.path)
		if dir == nil || dir.kids[name] != nil && e.op == effMkdir {
			break
		}
		n := p.newNode(e.op == effMkdir)
		p.learn(e.path, n)
		dir.kids[name] = n
		p.add(event{kind: evName, dir: dir, name: name, node: n})
	case effWrite:
		if n := p.of(e.file); n != nil {
			off := e.off
			if off < 0 {
				off = n.size
			}
			n.size = max(n.size, off+int64(len(e.data)))
			p.add(event{kind: evWrite, node: n, off: off, data: slices.Clone(e.data)})
		}
	case effClone:
		if n := p.of(e.file); n != nil {
			n.size = int64(len(data))
			p.add(event{kind: evWrite, node: n, data: data})
		}
	case effTruncate:
		if n := p.of(e.file); n != nil {
			n.size = e.off
			p.add(event{kind: evTruncate, node: n, off: e.off})
		}
	case effRename:
		p.rename(e.path, e.to)
	case effRemove:
		if dir, name := p.walk(e.path); dir != nil && dir.kids[name] != nil {
			delete(dir.kids, name)
			p.add(event{kind: evName, dir: dir, name: name})
		}
	case effChtimes:
	default:
		p.t.Errorf("an effect that the recorder does not know: %s", e.op)
	}
	return nil
}

// gone counts an effect, and reports whether nobody is there to have it.
func (p *tape) gone() bool {
	if p.dies > 0 {
		if p.dies--; p.dies == 0 {
			p.dead = true
		}
	}
	return p.dead
}

// adoption is around for the cache.
func (p *tape) adoption(cache string) func(op, from, to string, do func() error) error {
	return func(op, from, to string, do func() error) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gone() {
			return errKilled
		}
		if op == "sync" {
			if dir, name := p.walk(from); dir != nil {
				p.sync(dir.kids[name])
			}
			return nil
		}
		if err := do(); err != nil {
			return err
		}
		switch op {
		case "mkdir":
			p.walk(filepath.Join(cache, to, "x"))
		case "rename":
			p.rename(from, filepath.Join(cache, to))
		}
		return nil
	}
}

func (p *tape) rename(from, to string) {
	d1, n1 := p.walk(from)
	d2, n2 := p.walk(to)
	n := d1.kids[n1]
	if n == nil {
		p.t.Errorf("recording: %s was renamed and is not known", from)
		return
	}
	delete(d1.kids, n1)
	d2.kids[n2] = n
	p.add(event{kind: evRename, dir: d1, name: n1, toDir: d2, to: n2, node: n})
}

// sync is begun and ended at once: nothing else is done meanwhile.
func (p *tape) sync(n *node) {
	if n != nil {
		p.add(event{kind: evSync, node: n, off: int64(len(p.events))})
	}
}

// A cut is how much of what was not synced a power cut leaves.
type cut struct {
	names, data float64 // the chance of each name, of each write
	torn        float64 // the chance of each write that it is left in part
}

var cuts = []cut{
	{0, 0, 0}, {1, 1, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 1}, {0.5, 0.5, 0.3}, {0.9, 0.9, 0.1}, {0.1, 0.1, 0.1}, {0.5, 1, 0}, {1, 0.5, 0.5}, {0, 0.5, 0.5},
}

const sector = 512

// A left is what is on the disk after a power cut: directories end in a slash.
type left struct {
	paths   []string
	content map[string]string
	sum     uint64
	pending map[*node]bool // nodes that had something not synced
}

// after gives one of the states that the disk may be in if the power is cut
// right after the first n events.
func (p *tape) after(n int, c cut, r *rand.Rand) left {
	covered := make([]int, len(p.nodes))
	for i := range p.events[:n] {
		if e := &p.events[i]; e.kind == evSync {
			covered[e.node.id] = max(covered[e.node.id], int(e.off))
		}
	}
	type key struct {
		dir  int
		name string
	}
	type meaning struct {
		at   int
		node *node
	}
	names := make(map[key][]meaning) // those that may be the one; the first is durable
	files := make(map[*node]*bytesLeft)
	l := left{content: make(map[string]string), pending: make(map[*node]bool)}
	say := func(dir *node, name string, at int, n *node) {
		k := key{dir.id, name}
		if at < covered[dir.id] {
			names[k] = []meaning{{at, n}}
			return
		}
		if names[k] == nil {
			names[k] = []meaning{{-1, nil}}
		}
		names[k] = append(names[k], meaning{at, n})
		l.pending[dir] = true
	}
	for i := range p.events[:n] {
		e := &p.events[i]
		switch e.kind {
		case evName:
			say(e.dir, e.name, i, e.node)
		case evRename:
			say(e.dir, e.name, i, nil)
			say(e.toDir, e.to, i, e.node)
		case evWrite, evTruncate:
			f := files[e.node]
			if f == nil {
				f = &bytesLeft{}
				files[e.node] = f
			}
			if i < covered[e.node.id] {
				f.apply(e, nil)
				continue
			}
			l.pending[e.node] = true
			switch {
			case r.Float64() < c.torn:
				f.apply(e, r)
			case r.Float64() < c.data:
				f.apply(e, nil)
			}
		}
	}
	chosen := make(map[key]meaning, len(names))
	keys := slices.SortedFunc(maps.Keys(names), func(a, b key) int {
		if a.dir != b.dir {
			return a.dir - b.dir
		}
		return strings.Compare(a.name, b.name)
	})
	for _, k := range keys {
		ms := names[k]
		m := ms[0]
		for _, o := range ms[1:] {
			if r.Float64() < c.names {
				m = o
			}
		}
		chosen[k] = m
	}
	// Where the old name is gone the new one is there, or what came after it.
	for i := range p.events[:n] {
		e := &p.events[i]
		if e.kind != evRename {
			continue
		}
		from, to := key{e.dir.id, e.name}, key{e.toDir.id, e.to}
		if chosen[from].at >= i && chosen[to].at < i {
			chosen[to] = meaning{i, e.node}
		}
	}
	kids := make(map[int][]key)
	for _, k := range keys {
		if chosen[k].node != nil {
			kids[k.dir] = append(kids[k.dir], k)
		}
	}
	h := fnv.New64a()
	var walk func(d *node, at string, deep int)
	walk = func(d *node, at string, deep int) {
		for _, k := range kids[d.id] {
			n, path := chosen[k].node, join(at, k.name)
			if n.dir {
				path += "/"
			}
			l.paths = append(l.paths, path)
			h.Write([]byte(path))
			h.Write([]byte{0})
			if n.dir {
				if deep < 8 { // a directory under two names
					walk(n, path[:len(path)-1], deep+1)
				}
				continue
			}
			if f := files[n]; f != nil {
				l.content[path] = string(f.buf[:f.size])
				h.Write(f.buf[:f.size])
			}
			h.Write([]byte{1})
		}
	}
	walk(p.root, "", 0)
	l.sum = h.Sum64()
	return l
}

// bytesLeft is what a file has; buf may be longer than size.
type bytesLeft struct {
	buf  []byte
	size int
}

// apply does a write; with r only some of its sectors reach the disk, and
// perhaps not the new size, or that alone.
func (f *bytesLeft) apply(e *event, r *rand.Rand) {
	if e.kind == evTruncate {
		size := int(e.off)
		f.grow(size)
		clear(f.buf[size:])
		f.size = size
		return
	}
	off, end := int(e.off), int(e.off)+len(e.data)
	f.grow(end)
	if r == nil {
		copy(f.buf[off:], e.data)
		f.size = max(f.size, end)
		return
	}
	for at := off; at < end; {
		next := min(end, (at/sector+1)*sector)
		if r.IntN(2) == 0 {
			copy(f.buf[at:next], e.data[at-off:])
		}
		at = next
	}
	switch r.IntN(3) {
	case 0:
		f.size = max(f.size, end)
	case 1:
		f.size = max(f.size, off+r.IntN(len(e.data)+1)/sector*sector)
	}
}

func (f *bytesLeft) grow(n int) {
	if n > len(f.buf) {
		f.buf = append(f.buf, make([]byte, n-len(f.buf))...)
	}
}

// put makes the state below dir.
func (l *left) put(t testing.TB, dir string) {
	for _, path := range l.paths {
		at := filepath.Join(dir, path)
		var err error
		if strings.HasSuffix(path, "/") {
			err = os.Mkdir(at, 0o700)
		} else {
			err = os.WriteFile(at, []byte(l.content[path]), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// resume is a tape of a disk that begins with what is left.
func (l *left) resume(t testing.TB, top string) *tape {
	p := newTape(t, top)
	for _, path := range l.paths {
		dir := strings.HasSuffix(path, "/")
		at := filepath.Join(top, path)
		d, name := p.walk(at)
		n := p.newNode(dir)
		p.learn(at, n)
		d.kids[name] = n
		p.add(event{kind: evName, dir: d, name: name, node: n})
		p.sync(d)
		if !dir {
			n.size = int64(len(l.content[path]))
			p.add(event{kind: evWrite, node: n, data: []byte(l.content[path])})
			p.sync(n)
		}
	}
	return p
}

// list is the first n events, to be read by people.
func (p *tape) list(n int) string {
	var b strings.Builder
	id := func(n *node) any {
		if n == nil {
			return "-"
		}
		return n.id
	}
	for i, e := range p.events[:n] {
		fmt.Fprintf(&b, "%4d ", i)
		switch e.kind {
		case evName:
			fmt.Fprintf(&b, "%v/%s = %v\n", id(e.dir), e.name, id(e.node))
		case evRename:
			fmt.Fprintf(&b, "%v/%s -> %v/%s = %v\n", id(e.dir), e.name, id(e.toDir), e.to, id(e.node))
		case evWrite:
			fmt.Fprintf(&b, "%v write %d at %d: %.150q\n", id(e.node), len(e.data), e.off, e.data)
		case evTruncate:
			fmt.Fprintf(&b, "%v truncate %d\n", id(e.node), e.off)
		case evSync:
			fmt.Fprintf(&b, "%v sync\n", id(e.node))
		case evMark:
			fmt.Fprintf(&b, "  %T %.60q\n", e.mark, fmt.Sprintf("%+v", e.mark))
		}
	}
	return b.String()
}
