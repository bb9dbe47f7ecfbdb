package commit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
)

// A kscene is a start and what is done from there.
type kscene struct {
	name  string
	start map[string]string // nil = a repo that is not on the Hub
	steps []kstep
}

var kstart = map[string]string{
	"config.json": "{}\n", "model.bin": "\x00\x01weights", "old/x.bin": "\x00xx", "old/y": "why", "old/sub/z": "zed", "README.md": "# m\n", "gone": "g",
}

// ksteps reads one step a line: see kstep. Content is the rest of the line.
func ksteps(text string) (steps []kstep) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		arg := func(i int) string {
			if i < len(f) {
				return f[i]
			}
			return ""
		}
		s := kstep{Op: f[0]}
		switch s.Op {
		case "create", "open", "trunc":
			s.P, s.H = arg(1), arg(2)
		case "write":
			s.H, s.D = arg(1), arg(3)
			fmt.Sscan(arg(2), &s.N)
		case "size":
			s.H = arg(1)
			fmt.Sscan(arg(2), &s.N)
		case "close":
			s.H = arg(1)
		case "chmod":
			s.P, s.N = arg(1), 0o600
		case "mv", "swap", "link":
			s.P, s.Q = arg(1), arg(2)
		case "theirs":
			s.P, s.D = arg(1), arg(2)
		default:
			s.P = arg(1)
		}
		steps = append(steps, s)
	}
	return steps
}

var kscenes = []kscene{
	{"save a model", kstart, ksteps(`
		mkdir ckpt
		create ckpt/.tmp h
		size h 64
		write h 0 \x00header
		write h 30 weights-of-the-model
		mv ckpt/.tmp ckpt/model.bin
		write h 50 tail
		close h
		fsync ckpt/model.bin
		create .tmp2 i
		write i 0 {"a":1}
		close i
		mv .tmp2 config.json
		sync
		create ckpt/.tmp h
		size h 40
		write h 0 \x00second
		mv ckpt/.tmp ckpt/model.bin
		close h
		sync
		create late h
		write h 0 late
		close h`)},
	{"edit", kstart, ksteps(`
		open model.bin h
		write h 2 WEIGHTS-and-more
		size h 12
		write h 12 appended
		close h
		trunc config.json h
		write h 0 {2}
		close h
		chmod config.json
		open README.md h
		write h 4 card
		fsync README.md
		close h
		sync
		open model.bin h
		write h 0 again
		close h
		trunc model.bin h
		close h
		sync
		open old/y h
		size h 1
		close h
		rm config.json
		sync
		open README.md h
		write h 0 last`)},
	{"rename a tree", kstart, ksteps(`
		mv old new
		mv new/sub sub
		rm new/y
		mkdir old
		create old/x.bin h
		write h 0 another
		close h
		swap old sub
		sync
		mv sub new/deep
		swap model.bin config.json
		mv gone new/deep/gone
		mv new renewed
		rm renewed/deep/gone
		sync
		mv renewed old2
		mv old2/deep old/deep`)},
	{"others commit too", kstart, ksteps(`
		open config.json h
		write h 0 [ours]
		close h
		theirs their/file new
		theirs gone
		sync
		create mine h
		write h 0 mine
		close h
		theirs their/file changed
		mv old moved
		sync
		rm moved/y
		theirs README.md theirs
		sync
		mkdir empty
		rm their/file`)},
	{"compact", kstart, ksteps(`
		create t1 h
		close h
		rm t1
		create t2 h
		write h 0 t2
		close h
		mv t2 t3
		rm t3
		create t4 h
		close h
		mv t4 t5
		rm t5
		create keep h
		write h 0 keep
		close h
		create t6 h
		close h
		rm t6
		mv keep keep2
		mv keep2 keep3
		mkdir d
		rmdir d
		mkdir d
		rmdir d
		mv keep3 keep
		sync
		create t7 h
		write h 0 seven
		close h
		restart
		mv t7 t8
		restart
		rm t8
		restart
		create end h
		write h 0 end
		close h`)},
	{"conflicts", kstart, ksteps(`
		trunc config.json h
		write h 0 {ours}
		close h
		open model.bin h
		write h 0 ours
		close h
		theirs config.json {theirs}
		theirs other their-other
		conflict
		create more h
		write h 0 more
		close h
		force
		trunc config.json h
		write h 0 {ours2}
		close h
		mv old moved
		theirs config.json {theirs2}
		conflict
		discard config.json
		rm moved/y
		sync
		create end h
		write h 0 end`)},
	{"links and parts", kstart, ksteps(`
		link link README.md
		create one.bin h
		write h 0 \x00one
		close h
		create two.bin h
		write h 0 \x00two
		close h
		open config.json h
		write h 0 [1]
		close h
		link second two.bin
		rm gone
		split
		mv link old/link
		rm second
		create three.bin h
		write h 0 \x00three
		close h
		create four.bin h
		write h 0 \x00four
		close h
		mv model.bin old/model.bin
		split
		create end h
		write h 0 end`)},
	{"a pull request", kstart, ksteps(`
		open config.json h
		write h 0 [pr]
		close h
		create new.bin h
		write h 0 \x00new
		close h
		mv old moved
		rm gone
		pr
		open config.json h
		write h 0 [main]
		close h
		sync
		create second h
		write h 0 second
		close h
		theirs other their-other
		pr
		create end h
		write h 0 end`)},
	{"a new repo", nil, ksteps(`
		new
		create README.md h
		write h 0 card
		close h
		mkdir d
		create d/model.bin h
		write h 0 \x00weights
		close h
		sync
		open d/model.bin h
		write h 0 more
		close h
		mv d e
		sync
		rm README.md
		restart
		create z h
		write h 0 z`)},
}

// krandom makes a scene of n steps on few names.
func krandom(r *rand.Rand, n int) kscene {
	s := kscene{name: "random", start: kstart}
	k := newKstate(kstart)
	pick := func(ps []string) string { return ps[r.IntN(len(ps))] }
	names := []string{"a", "b.bin", "c", "old", "new", "gone"}
	add := func(st kstep) {
		k.do(st)
		s.steps = append(s.steps, st)
	}
	closeAll := func() {
		for _, h := range slices.Sorted(maps.Keys(k.handles)) {
			add(kstep{Op: "close", H: h})
		}
	}
	for count := 0; len(s.steps) < n; count++ {
		dirs := k.root.dirs("", nil)
		p, q := join(pick(dirs), pick(names)), join(pick(dirs), pick(names))
		f, d := k.root.find(p), k.root.find(parentOf(p))
		h := fmt.Sprint("h", count%3)
		_, taken := k.handles[h]
		text := fmt.Sprintf("text-%d-%s", count, strings.Repeat("x", r.IntN(30)))
		switch op := pick([]string{"create", "create", "open", "trunc", "write", "write", "write", "size", "close", "close", "fsync", "mkdir", "rm", "rmdir", "mv", "mv", "mv", "swap", "sync", "theirs", "restart"}); op {
		case "create":
			if f == nil && !taken {
				add(kstep{Op: op, P: p, H: h})
			}
		case "open", "trunc":
			if f != nil && !f.dir && !taken {
				add(kstep{Op: op, P: p, H: h})
			}
		case "write":
			if taken {
				add(kstep{Op: op, H: h, N: r.Int64N(40), D: text})
			}
		case "size":
			if taken {
				add(kstep{Op: op, H: h, N: r.Int64N(40)})
			}
		case "close":
			if taken {
				add(kstep{Op: op, H: h})
			}
		case "fsync":
			if f != nil && !f.dir {
				add(kstep{Op: op, P: p})
			}
		case "mkdir":
			if f == nil {
				add(kstep{Op: op, P: p})
			}
		case "rm":
			if f != nil && !f.dir {
				add(kstep{Op: op, P: p})
			}
		case "rmdir":
			if f != nil && f.dir && len(f.kids) == 0 {
				add(kstep{Op: op, P: p})
			}
		case "mv", "swap":
			flags := uint(0)
			if op == "swap" {
				flags = Exchange
			}
			to, newName := k.at(q)
			// rename changes its arguments: tried on a copy of what it looks at.
			if f != nil && p != q && renames(d, p[strings.LastIndexByte(p, '/')+1:], to, newName, flags) {
				add(kstep{Op: op, P: p, Q: q})
			}
		case "sync":
			// With nothing to commit it does nothing.
			if !maps.Equal(k.files(), k.base) {
				closeAll()
				add(kstep{Op: op})
			}
		case "theirs":
			// Not where a conflict could come of it.
			add(kstep{Op: op, P: fmt.Sprint("their/", count%4), D: text})
		case "restart":
			// With nothing staged the others' work comes with it, and empty
			// directories go: not for the model to know.
			if maps.Equal(k.base, k.hub) && !slices.ContainsFunc(k.root.dirs("", nil), func(p string) bool { return len(k.root.find(p).kids) == 0 }) {
				closeAll()
				add(kstep{Op: op})
			}
		}
	}
	return s
}

// renames reports whether rename would do it; nothing is changed.
func renames(from *model, name string, to *model, newName string, flags uint) bool {
	src, dst := from.kids[name], to.kids[newName]
	if rename(from, name, to, newName, flags) != nil {
		return false
	}
	put := func(m *model, name string, k *model) {
		if k == nil {
			delete(m.kids, name)
		} else {
			m.kids[name] = k
		}
	}
	put(to, newName, dst)
	put(from, name, src)
	return true
}

// The scenes themselves make sense: no step is refused, and each has its effect.
func TestKillScenes(t *testing.T) {
	for seed := range uint64(20) {
		if s := krandom(proof.Rand(seed), 40); len(kviews(s.start, s.steps)) < 41 {
			t.Error(s)
		}
	}
	for _, s := range kscenes {
		if got := kviews(s.start, s.steps); len(got) != len(s.steps)+1 {
			t.Error(s.name, len(got))
		}
	}
}
