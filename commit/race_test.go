package commit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Many programs at once, while commits are made: each finds its own work, and
// the commits in the end have all of it.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"shared/a": "a", "shared/b.bin": pattern(10_000)})
	tr := w.tree("acme/m")
	want := map[string]string{"shared/a": "a", "shared/b.bin": pattern(10_000)}
	var mu sync.Mutex
	var programs, commits sync.WaitGroup
	stop := make(chan struct{})
	commits.Go(func() {
		for {
			if _, err := tr.Commit(ctx, CommitOptions{}); err != nil {
				t.Error(err)
			}
			tr.Status(ctx)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for p := range 6 {
		programs.Go(func() {
			dir, err := tr.Root().Mkdir(ctx, fmt.Sprintf("p%d", p), 0o755)
			if err != nil {
				t.Error(err)
				return
			}
			name := ""
			text := ""
			for i := range 30 {
				switch {
				case i%5 == 0:
					name, text = fmt.Sprintf("f%d", i), fmt.Sprintf("%d of %d", i, p)
					f, err := dir.Create(ctx, name, 0o644, true)
					if err == nil {
						err = put(dir, name, f, text, os.O_TRUNC)
					}
					if err != nil {
						t.Error(err)
						return
					}
				case i%5 < 3:
					more := fmt.Sprintf("+%d", i)
					f, err := dir.Edit(ctx, name, false)
					if err == nil {
						err = put(dir, name, f, more, os.O_APPEND)
					}
					if err != nil {
						t.Error(err)
						return
					}
					text += more
				case i%5 == 3:
					next := fmt.Sprintf("g%d", i)
					if err := dir.Rename(ctx, name, dir, next, 0); err != nil {
						t.Error(err)
						return
					}
					name = next
				default:
					f, err := get(tr, dir, name)
					if err != nil || f != text {
						t.Errorf("%s: %q, %v, want %q", name, f, err, text)
						return
					}
					if i%10 == 9 {
						if err := dir.Unlink(ctx, name); err != nil {
							t.Error(err)
						}
						continue
					}
					mu.Lock()
					want[fmt.Sprintf("p%d/%s", p, name)] = text
					mu.Unlock()
				}
			}
		})
	}
	programs.Wait()
	close(stop)
	commits.Wait()
	commitAll(t, tr)
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if tr.Dirty() {
		t.Error(tr.Status(ctx))
	}
}

// put writes as the file system does: a file that a commit has taken since it
// was looked up is edited again.
func put(d *Dir, name string, f *File, text string, flags int) error {
	for {
		g, err := f.Open(os.O_WRONLY | flags)
		if errors.Is(err, ErrFrozen) {
			if f, err = d.Edit(ctx, name, flags&os.O_TRUNC != 0); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		_, err = g.WriteString(text)
		return errors.Join(err, g.Close())
	}
}

func get(w *Worktree, d *Dir, name string) (string, error) {
	for {
		n, err := d.Lookup(ctx, name)
		if err != nil {
			return "", err
		}
		if n.File == nil {
			b, err := w.Blob(ctx, n.Entry)
			if err != nil {
				return "", err
			}
			defer b.Close()
			buf := make([]byte, n.Entry.Size)
			if _, err := b.ReadAt(ctx, buf, 0); err != nil && err != io.EOF {
				return "", err
			}
			return string(buf), nil
		}
		g, err := n.File.Open(os.O_RDONLY)
		if errors.Is(err, ErrFrozen) {
			continue // committed since
		}
		if err != nil {
			return "", err
		}
		defer g.Close()
		b, err := io.ReadAll(g)
		return string(b), err
	}
}
