package commit

// What is staged beside a plan.
const (
	besideFile  = iota + 1
	besideDir   // that shows what the base has below it
	besideCover // a directory that hides what the base has below it
	besideGone
)

// beside is what is staged and no part of the plan: busy files, what was left
// out, and what was changed since; without a plan everything. It lies over the
// plan's base too, and would later replace what others did on the way to
// another one without anybody being told.
func (w *Worktree) beside(p *plan) map[string]int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.besides(p)
}

// besides is beside, under mu.
func (w *Worktree) besides(p *plan) map[string]int {
	known := make(map[*File]bool)
	refs := make(map[string]bool)
	left := make(map[string]bool)
	copied := make(map[string]bool)
	late := func(*kid) bool { return true }
	kept := func(string) bool { return false }
	if p != nil {
		for _, it := range p.items {
			switch {
			case it.link != "":
			case it.file != nil:
				known[it.file] = true
			default:
				refs[it.path] = true
			}
		}
		for _, l := range p.left {
			left[l.Path] = true
		}
		for _, l := range p.links {
			copied[l.P] = true
		}
		late = func(k *kid) bool { return k.gen > p.mark.gen }
		kept = func(q string) bool { return p.kept[q] }
	}
	found := make(map[string]int)
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		for name, k := range d.kids {
			q := join(at, name)
			switch {
			case k.link != nil && leftOut(q) == "":
				if late(k) || !copied[q] { // it may become a copy by the next commit
					found[q] = besideFile
				}
			case left[q] || leftOut(q) != "":
			case k.dir != nil:
				if k.through == nil {
					found[q] = besideDir
					hides := !k.dir.based && k.covers || k.dir.based && !k.dir.natural()
					if hides && (late(k) || kept(q)) {
						found[q] = besideCover
					}
				}
				walk(k.dir, q)
			case k.file != nil && (late(k) || !known[k.file]), k.ref != nil && (late(k) || !refs[q]):
				found[q] = besideFile
			case k.gone() && (late(k) || kept(q)):
				found[q] = besideGone
			}
		}
	}
	walk(w.root, "")
	return found
}

// keptOrigins are where the moved directories come from that stay staged, without
// a plan all: they show what the base has there, so what others change there would
// be changed in what we have moved. Under mu.
func (w *Worktree) keptOrigins(p *plan) (origins []string) {
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		for name, k := range d.kids {
			if k.dir == nil {
				continue
			}
			q := join(at, name)
			if (p == nil || p.kept[q]) && k.dir.based && !k.dir.natural() {
				origins = append(origins, k.dir.origin)
			}
			walk(k.dir, q)
		}
	}
	walk(w.root, "")
	return origins
}
