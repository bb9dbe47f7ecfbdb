package fs

import (
	"fmt"
	iofs "io/fs"
	"path/filepath"
	"testing"
)

// walkAll is ls -lR: every name with its attributes.
func walkAll(t *testing.T, dir string) map[string]iofs.FileInfo {
	t.Helper()
	out := map[string]iofs.FileInfo{}
	must(t, filepath.WalkDir(dir, func(p string, d iofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		out[rel] = fi
		return err
	}))
	return out
}

func noiseName(i int) string { return fmt.Sprintf("%04d", i) }
