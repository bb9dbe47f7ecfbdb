package commit

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Flags of Rename, with the values of renameat2(2).
const (
	NoReplace = unix.RENAME_NOREPLACE
	Exchange  = unix.RENAME_EXCHANGE
)

// Rename is renameat2(2): files and whole directories, over what is there,
// with NoReplace or Exchange. Committed content is moved by reference: it is
// neither read nor uploaded. EXDEV for another worktree, and for committed
// content that would come to a place that is never committed.
func (d *Dir) Rename(ctx context.Context, name string, to *Dir, newName string, flags uint) error {
	r := renaming{from: d, name: name, to: to, newName: newName, exchange: flags&Exchange != 0, keep: flags&NoReplace != 0}
	err := r.check(flags)
	if err == nil {
		err = d.w.change(ctx, func() error { return r.look(ctx) }, r.valid, r.record, r.done)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: join(d.Path(), name), New: join(to.Path(), newName), Err: err}
	}
	return nil
}

// renaming is one rename with what its names meant when they were looked at.
type renaming struct {
	from, to       *Dir
	name, newName  string
	exchange, keep bool

	src, dst slot
	in       listing // of the directory that is replaced
	hf       slot    // "huggingface" in the directory that is moved, see barred
}

func (r *renaming) check(flags uint) error {
	switch {
	case r.from.w != r.to.w:
		return syscall.EXDEV
	case flags&^(NoReplace|Exchange) != 0, r.exchange && r.keep:
		return syscall.EINVAL
	}
	if err := checkName(r.from.Path(), r.name); err != nil {
		return err
	}
	return checkName(r.to.Path(), r.newName)
}

func (r *renaming) look(ctx context.Context) (err error) {
	// Twice each: first to have the directory objects, then with what the base has.
	for _, s := range []struct {
		d    *Dir
		name string
		slot *slot
	}{{r.from, r.name, &r.src}, {r.to, r.newName, &r.dst}} {
		if *s.slot, err = s.d.look(ctx, s.name); err != nil {
			return err
		}
		if *s.slot, err = s.d.peek(ctx, s.name, true); err != nil {
			return err
		}
	}
	// Programs that write under a temporary name and rename it without a sync
	// mean to have one or the other, as on ext4.
	if k := r.src.kid; k != nil && k.file != nil && r.dst.exists() && !r.exchange {
		k.file.begin()
	}
	r.in, r.hf = listing{}, slot{}
	if x := r.dst.dir(); x != nil && !r.exchange {
		if r.in, err = x.contents(ctx); err != nil {
			return err
		}
	}
	if x := r.src.dir(); x != nil && r.newName == ".cache" {
		if r.hf, err = x.look(ctx, "huggingface"); err != nil {
			return err
		}
	}
	return nil
}

func (r *renaming) valid() bool {
	return r.src.valid() && r.dst.valid() && (r.in.d == nil || r.in.valid()) && (r.hf.d == nil || r.hf.valid())
}

// record decides; the order of the checks is the kernel's.
func (r *renaming) record() (record, error) {
	none := record{}
	r.src.settle()
	r.dst.settle()
	src, dst := &r.src, &r.dst
	switch {
	case !src.exists():
		return none, syscall.ENOENT
	case r.exchange && !dst.exists():
		return none, syscall.ENOENT
	case r.keep && dst.exists():
		return none, syscall.EEXIST
	case src.dir() != nil && r.to.within(src.dir()):
		return none, syscall.EINVAL
	case dst.dir() != nil && r.from.within(dst.dir()):
		if r.exchange {
			return none, syscall.EINVAL
		}
		return none, syscall.ENOTEMPTY
	case r.from == r.to && r.name == r.newName:
		return none, nil
	}
	p, q := join(r.from.path(), r.name), join(r.to.path(), r.newName)
	rec := record{Op: opMv, P: p, Q: q, E: src.committed(), D: src.dir() != nil, N: !src.has}
	if r.barred(src, q) || r.exchange && r.barred(dst, p) {
		return none, syscall.EXDEV
	}
	if r.exchange {
		rec.Op, rec.F, rec.G = opSwap, dst.committed(), dst.dir() != nil
		return rec, nil
	}
	if dst.exists() {
		switch {
		case src.dir() != nil && dst.dir() == nil:
			return none, syscall.ENOTDIR
		case src.dir() == nil && dst.dir() != nil:
			return none, syscall.EISDIR
		case dst.dir() != nil && (r.in.d != dst.dir() || len(r.in.slots()) > 0):
			return none, syscall.ENOTEMPTY
		}
	}
	return rec, nil
}

// barred reports whether a directory with committed content would come to a
// place that is left out of commits. A commit would then take it from where
// it was and put it nowhere; mv copies instead, after EXDEV.
func (r *renaming) barred(s *slot, place string) bool {
	d := s.dir()
	if d == nil || !d.based || leftOut(s.path()) != "" {
		return false
	}
	return leftOut(place) != "" || r.hf.d == d && r.hf.exists()
}

func (s *slot) path() string { return join(s.d.path(), s.name) }

func (r *renaming) done() {
	src, dst := &r.src, &r.dst
	// Attributes that a file had while it was staged go with it.
	carry := func(s *slot, to *Dir, name string) {
		if k := to.kids[name]; s.kid == nil && k != nil && k.ref != nil {
			k.ref.attr = s.d.keptAttr(s.name, s.entry)
		}
	}
	carry(src, r.to, r.newName)
	if r.exchange {
		carry(dst, r.from, r.name)
	}
}
