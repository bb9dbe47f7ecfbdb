package commit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// sceneOf is one of the scenes in which the power is cut.
type sceneOf struct {
	name  string
	repo  string
	start map[string]string // nil = the repo is not there yet
	play  func(s *scene, r *rand.Rand)
}

var powerStart = map[string]string{"a": "a", "b": filler("b", 1300), "old/x": "x", "old/y": filler("y", 700), "old/z/deep": "deep"}

var scenes = []sceneOf{
	{"save", "acme/m", powerStart, playSave},
	{"edit", "acme/m", powerStart, playEdit},
	{"rename tree", "acme/m", powerStart, playRename},
	{"replace", "acme/m", powerStart, playReplace},
	{"discard", "acme/m", powerStart, playDiscard},
	{"sync", "acme/m", powerStart, playSync},
	{"sync unsynced", "acme/m", powerStart, playSyncUnsynced},
	{"new repo", "alice/new", nil, playNew},
	{"shorten", "acme/m", powerStart, playShorten},
	{"killed", "acme/m", powerStart, playKilled},
	{"closed", "acme/m", powerStart, playClosed},
	{"threads", "acme/m", map[string]string{"a": "a"}, playThreads},
	{"anything", "acme/m", powerStart, playAnything},
	{"anything", "acme/m", powerStart, playAnything},
	{"anything", "acme/m", powerStart, playAnything},
}

// playSave is how most programs save: under another name, fsync, rename.
func playSave(s *scene, r *rand.Rand) {
	l := s.all
	for i := range 4 {
		m, f := l.save(".tmp", filler(fmt.Sprint("model", i), 600+r.IntN(3000)))
		l.fsync(m, f)
		l.mv(".tmp", "model.bin", 0)
		if r.IntN(2) == 0 {
			l.dirsync()
		}
	}
	l.save("log", "unsynced")
}

func playEdit(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.edit("b")
	l.write(m, f, filler("B", 300), 1200)
	l.fsync(m, f)
	l.write(m, f, filler("BB", 900), r.IntN(800))
	m2, f2 := l.edit("old/y")
	l.write(m2, f2, "Y", 3)
	l.fsync(m2, f2)
	l.truncate(m2, f2, 100)
	l.fsync(m2, f2)
	l.fsync(m, f)
	l.truncate(m, f, 0)
	l.write(m, f, "short", 0)
	l.fsync(m, f)
}

func playRename(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.save("old/new", filler("n", 900))
	l.mv("old", "moved", 0)
	l.fsync(m, f)
	l.mkdir("d")
	l.mv("moved/z", "d/z", 0)
	l.dirsync()
	l.mv("d/z", "z", 0)
	l.mv("a", "z/deep", Exchange)
	m, f = l.save("z/two", "two")
	l.fsync(m, f)
	l.rm("moved/x")
	l.mv("z/two", "moved/x", 0)
	l.dirsync()
	l.mv("moved", "z/moved", 0)
}

// playReplace replaces fsynced files: the old one is there until the new one is.
func playReplace(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.save("c", filler("c", 700))
	l.fsync(m, f)
	m, f = l.save("d", filler("d", 700))
	l.fsync(m, f)
	l.mv("d", "c", 0)
	m, f = l.save("e", "e")
	l.fsync(m, f)
	l.mv("c", "e", Exchange)
	l.mv("e", "a", 0)
	l.rm("c")
	m, f = l.save("c", filler("again", 600))
	l.fsync(m, f)
	l.mv("a", "c", 0)
	l.mkdir("dir")
	l.mv("c", "dir/c", 0)
	l.rm("dir/c")
}

func playDiscard(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.edit("a")
	l.write(m, f, "changed", 0)
	l.fsync(m, f)
	l.discard("a", "a")
	m, f = l.edit("b")
	l.write(m, f, "B", 0)
	l.fsync(m, f)
	l.dirsync()
	l.discard("b", powerStart["b"])
	l.dirsync()
	m, f = l.save("a2", "a2")
	l.fsync(m, f)
	m, f = l.edit("a")
	l.write(m, f, "again", 0)
	l.fsync(m, f)
}

func playSync(s *scene, r *rand.Rand) {
	l := s.all
	for i := range 2 {
		m, f := l.save(fmt.Sprintf("model%d.bin", i), filler(fmt.Sprint("m", i), 1500))
		l.fsync(m, f)
		m, f = l.edit("b")
		l.write(m, f, fmt.Sprint("B", i), 20)
		l.fsync(m, f)
		if i == 0 {
			l.mv("old", "new", 0)
			l.rm("a")
		}
		l.commit()
		m, f = l.save("after", filler("after", 600))
		l.fsync(m, f)
	}
}

// playSyncUnsynced commits what nobody had fsynced: after the commit it is as
// good as fsynced.
func playSyncUnsynced(s *scene, r *rand.Rand) {
	l := s.all
	l.save("big.bin", filler("\x00big", 2000))
	l.save("a", "unsynced a")
	l.rm("old/x")
	l.commit()
	l.save("a", "unsynced again")
	m, f := l.save("c", "c")
	l.fsync(m, f)
	l.commit()
	l.mv("big.bin", "bigger.bin", 0)
	l.dirsync()
}

func playNew(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.save("README.md", filler("# hello\n", 700))
	l.fsync(m, f)
	l.mkdir("d")
	l.save("d/weights.bin", filler("\x00w", 1200))
	l.dirsync()
	l.commit()
	m, f = l.save("more", "more")
	l.fsync(m, f)
	l.commit()
}

// playShorten has the journal replaced while it is used.
func playShorten(s *scene, r *rand.Rand) {
	l := s.all
	for i := range 3 {
		m, f := l.save(fmt.Sprint("f", i), filler(fmt.Sprint("f", i), 700))
		l.fsync(m, f)
		l.save("tmp", "tmp")
		l.rm("tmp")
		l.checkpoint()
		l.mv(fmt.Sprint("f", i), fmt.Sprint("g", i), 0)
		l.save(fmt.Sprint("u", i), "unsynced")
	}
	l.checkpoint()
	l.mv("old", "older", 0)
	l.dirsync()
}

// playKilled has the process killed, in the middle of something, before the
// power goes.
func playKilled(s *scene, r *rand.Rand) {
	l := s.all
	for i := range 3 {
		name := fmt.Sprint("k", i)
		var m *made
		var f *File
		s.until(1+r.IntN(40),
			func() { m, f = l.create(name) },
			func() { l.write(m, f, filler(name, 700), 0) },
			func() { l.fsync(m, f) },
			func() { m, f = l.create("tmp") },
			func() { l.write(m, f, filler(fmt.Sprint("t", i), 600), 0) },
			func() { l.fsync(m, f) },
			func() { l.mv("tmp", name, 0) },
			func() { m, f = l.create("x") },
			func() { l.rm("x") },
			func() { l.rm(name) },
		)
		m, f = l.save(name, "again")
		l.fsync(m, f)
		m, f = l.edit(name)
		l.write(m, f, "K", 0)
		l.fsync(m, f)
	}
	l.commit()
	s.kill()
	m, f := l.edit("k0")
	l.write(m, f, "last", 0)
	l.fsync(m, f)
}

// playClosed has the worktree closed and opened again, with and without staged
// work.
func playClosed(s *scene, r *rand.Rand) {
	l := s.all
	m, f := l.save("c", filler("c", 700))
	l.fsync(m, f)
	s.again()
	m, f = l.save("t", "t")
	l.fsync(m, f)
	l.mv("t", "c", 0)
	l.rm("c")
	s.again() // nothing is staged any more
	m, f = l.save("d", "d")
	l.fsync(m, f)
	l.commit()
	s.again()
	m, f = l.save("e", "e")
	l.fsync(m, f)
}

// playThreads has several programs at work at once, each in its own directory:
// they share syncs.
func playThreads(s *scene, r *rand.Rand) {
	var g sync.WaitGroup
	for i := range 4 {
		dir := fmt.Sprint("t", i)
		mkdir(s.t, s.tr, dir)
		l := s.lane(dir + "/")
		seed := r.Uint64()
		g.Go(func() {
			r := rand.New(rand.NewPCG(seed, seed))
			for i := range 4 {
				m, f := l.save(dir+"/.tmp", filler(fmt.Sprint(dir, i), 200+r.IntN(900)))
				if r.IntN(3) > 0 {
					l.fsync(m, f)
				}
				l.mv(dir+"/.tmp", dir+"/model", 0)
				if r.IntN(3) == 0 {
					l.dirsync()
				}
			}
		})
	}
	g.Wait()
}

// playAnything does what comes to mind.
func playAnything(s *scene, r *rand.Rand) {
	l := s.all
	open := make(map[*made]*File)
	paths := []string{"a", "b", "c", "d", "old/x", "old/y", "old/q"}
	any := func() string { return paths[r.IntN(len(paths))] }
	there := func() string {
		var ps []string
		for p := range l.now() {
			if slices.Contains(paths, p) {
				ps = append(ps, p)
			}
		}
		if len(ps) == 0 {
			return ""
		}
		slices.Sort(ps)
		return ps[r.IntN(len(ps))]
	}
	for i := range 15 + r.IntN(15) {
		p := there()
		switch n := r.IntN(14); {
		case n < 4 || p == "":
			m, f := l.save(any(), filler(fmt.Sprint("s", i), r.IntN(1600)))
			if r.IntN(3) > 0 {
				l.fsync(m, f)
			}
		case n < 6:
			m, f := l.edit(p)
			l.write(m, f, filler(fmt.Sprint("e", i), 1+r.IntN(700)), r.IntN(600))
			open[m] = f
			if r.IntN(2) == 0 {
				l.fsync(m, f)
			}
		case n < 9:
			if q := any(); q != p {
				flags := uint(0)
				if l.now()[q] != nil && r.IntN(3) == 0 {
					flags = Exchange
				}
				l.mv(p, q, flags)
			}
		case n < 10:
			l.rm(p)
		case n < 11:
			l.dirsync()
		case n < 12 && r.IntN(2) == 0:
			s.kill()
		case n < 12:
			l.checkpoint()
		case n < 13 && r.IntN(2) == 0:
			s.again()
		default:
			if m := l.now()[p]; !m.committed && open[m] != nil {
				m, f := l.edit(p)
				l.fsync(m, f)
			}
		}
	}
	if s.tr.Dirty() && r.IntN(2) == 0 {
		m, f := l.save("last", "last")
		l.fsync(m, f)
		l.commit()
		m, f = l.save("after", "after")
		l.fsync(m, f)
	}
}

// playOn is what people do after a power cut.
func playOn(s *scene, r *rand.Rand) {
	l := s.all
	var there []string
	for p := range l.now() {
		there = append(there, p)
	}
	slices.Sort(there)
	m, f := l.save("on", filler("on", 600))
	if r.IntN(2) == 0 {
		l.fsync(m, f)
	}
	if len(there) > 0 {
		p := there[r.IntN(len(there))]
		switch r.IntN(3) {
		case 0:
			l.mv(p, p+".moved", 0)
		case 1:
			m, f := l.edit(p)
			l.write(m, f, "ON", 0)
			l.fsync(m, f)
		default:
			l.mv("on", p, 0)
		}
	}
	l.dirsync()
	if r.IntN(3) == 0 {
		s.kill()
	}
	l.save("unsynced", "unsynced")
}
