package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/hubfs/hubfs/remote"
)

// An Exported is the changes.json beside exported files: what else is staged.
type Exported struct {
	Endpoint  string       `json:"endpoint"`
	Repo      string       `json:"repo"`   // without revision
	Branch    string       `json:"branch"` // or other revision
	Base      string       `json:"base"`   // the commit that it is staged on; "" for a repo without one
	New       bool         `json:"new,omitempty"`
	Files     []StagedPath `json:"files"`     // below files/
	Deletions []string     `json:"deletions"` // paths that the base has
	Renames   []StagedPath `json:"renames"`   // committed content, not exported: From is where the base has it
	Busy      []string     `json:"busy,omitempty"`
	Error     string       `json:"error,omitempty"` // what of it could not be read
}

// Names below the directory that Export makes.
const (
	exportedFiles   = "files"
	exportedChanges = "changes.json"
)

// Export copies what is staged in a repo out of a state directory into a new
// directory: files/ has the staged files by their paths, changes.json the rest
// (an Exported). It takes no lock, makes no request and changes nothing that
// is staged. fs.ErrNotExist if nothing is, fs.ErrExist if the directory is
// there. What cannot be read of a damaged journal is told in Exported.Error.
// After an error the directory may have a part of the files, but no
// changes.json.
func Export(ctx context.Context, stateDir, endpoint string, repo remote.Repo, to string) (Exported, error) {
	var e Exported
	l, err := inspect(filepath.Join(stateDir, stateNameAt(endpoint, normal(repo))))
	defer l.close()
	if l.w == nil {
		return e, fmt.Errorf("staged work of %s: %w", repo, err)
	}
	if err != nil {
		e.Error = err.Error()
	}
	if err := os.Mkdir(to, 0o777); err != nil {
		return e, err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return e, err
	}
	defer root.Close()
	st := l.w.Status(ctx)
	e.Endpoint, e.Repo, e.Branch, e.Base, e.New, e.Busy = endpoint, st.Repo, st.Branch, st.Base, st.New, st.Busy
	e.Files, e.Deletions, e.Renames = []StagedPath{}, []string{}, []StagedPath{}
	for _, p := range st.Staged {
		switch p.Op {
		case "delete":
			e.Deletions = append(e.Deletions, p.Path)
		case "move":
			e.Renames = append(e.Renames, p)
		default:
			e.Files = append(e.Files, p)
		}
	}
	if err := root.Mkdir(exportedFiles, 0o777); err != nil {
		return e, err
	}
	if err := l.w.exportDir(ctx, l.w.root, root, exportedFiles); err != nil {
		return e, err
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return e, err
	}
	return e, root.WriteFile(exportedChanges, append(b, '\n'), 0o666)
}

// exportDir copies what is staged in d. Directories that only show through to
// the base are made when there is something in them.
func (w *Worktree) exportDir(ctx context.Context, d *Dir, root *os.Root, at string) error {
	for name, k := range d.kids {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := path.Join(at, name)
		switch {
		case k.file != nil:
			if err := root.MkdirAll(at, 0o777); err != nil {
				return err
			}
			if err := k.file.export(root, p); err != nil {
				return fmt.Errorf("export %s: %w", p, err)
			}
		case k.link != nil:
			if err := root.MkdirAll(at, 0o777); err != nil {
				return err
			}
			if err := root.Symlink(k.link.Target, p); err != nil {
				return fmt.Errorf("export %s: %w", p, err)
			}
		case k.dir != nil:
			if !k.dir.based && len(k.dir.kids) == 0 {
				if err := root.MkdirAll(p, 0o777); err != nil {
					return err
				}
			}
			if err := w.exportDir(ctx, k.dir, root, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) export(root *os.Root, to string) error {
	in, err := f.st.disk.open(f.name(), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode.Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // the kernel copies, by reference where it can
	err = errors.Join(err, out.Close())
	if err != nil {
		return err
	}
	return root.Chtimes(to, fi.ModTime(), fi.ModTime())
}
