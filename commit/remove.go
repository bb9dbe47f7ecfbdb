package commit

import (
	"context"
	"syscall"
)

// Unlink takes a file's name away. A staged file that is open keeps its bytes
// until it is closed.
func (d *Dir) Unlink(ctx context.Context, name string) error {
	var s slot
	err := d.w.change(ctx, func() (err error) {
		s, err = d.peek(ctx, name, true)
		return err
	}, func() bool {
		return s.valid()
	}, func() (record, error) {
		s.settle()
		switch {
		case !s.exists():
			return record{}, syscall.ENOENT
		case s.dir() != nil:
			return record{}, syscall.EISDIR
		}
		return record{Op: opDel, P: join(d.path(), name), N: !s.has}, nil
	}, nil)
	if err != nil {
		return opError("unlink", d, name, err)
	}
	return nil
}

// Rmdir takes an empty directory away. ENOTEMPTY if there is anything in it,
// staged or committed.
func (d *Dir) Rmdir(ctx context.Context, name string) error {
	var s slot
	var in listing
	err := d.w.change(ctx, func() (err error) {
		if s, err = d.look(ctx, name); err != nil {
			return err
		}
		switch {
		case !s.exists():
			return syscall.ENOENT
		case s.dir() == nil:
			return syscall.ENOTDIR
		}
		if s, err = d.peek(ctx, name, true); err != nil {
			return err
		}
		if s.dir() != nil {
			in, err = s.dir().contents(ctx)
		}
		return err
	}, func() bool {
		return s.valid() && s.dir() != nil && in.d == s.dir() && in.valid()
	}, func() (record, error) {
		s.settle()
		if !s.exists() {
			return record{}, syscall.ENOENT
		}
		if len(in.slots()) > 0 {
			return record{}, syscall.ENOTEMPTY
		}
		return record{Op: opDel, P: join(d.path(), name), N: !s.has}, nil
	}, nil)
	if err != nil {
		return opError("rmdir", d, name, err)
	}
	return nil
}
