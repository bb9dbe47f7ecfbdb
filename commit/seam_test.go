package commit

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"os"
	"strings"
	"testing"
)

// Every effect of this package on files goes through the seam, so that the
// proofs see it: nothing else may call what changes a file.
func TestEffectsGoThroughTheSeam(t *testing.T) {
	// Where they may be, and why.
	allowed := map[string]string{
		"seam.go":            "is the seam",
		"disk.go":            "is the seam",
		"reflink_linux.go":   "is called by disk.clone",
		"editing.go":         "is called by disk.clone",
		"writeback_linux.go": "promises nothing: it only makes the kernel begin early",
		"lock.go":            "what the lock file says is for people",
		"export.go":          "writes to where the user wants to have it",
		"store.go Chmod":     "closes the state directory to others, before it is used",
	}
	packages := map[string][]string{
		"os": {"Mkdir", "MkdirAll", "MkdirTemp", "Create", "CreateTemp", "OpenFile", "WriteFile", "Remove", "RemoveAll", "Rename",
			"Link", "Symlink", "Chmod", "Chown", "Lchown", "Chtimes", "Truncate", "CopyFS", "NewFile"},
		"unix":    {"Rename", "Unlink", "Link", "Symlink", "Mkdir", "Open", "Mkn", "Fallocate", "CopyFileRange", "Sendfile", "Pwrite", "Write", "Ftruncate", "Truncate", "Fsync", "Fdatasync", "SyncFileRange", "IoctlFileClone", "Futimes", "Utimes", "Fchmod", "Chmod", "Setxattr", "Splice"},
		"syscall": {"Rename", "Unlink", "Link", "Symlink", "Mkdir", "Open", "Mkn", "Fallocate", "Sendfile", "Pwrite", "Write", "Ftruncate", "Truncate", "Fsync", "Fdatasync", "Futimes", "Utimes", "Fchmod", "Chmod", "Setxattr"},
	}
	// Methods of *os.File and *os.Root that have effects.
	methods := map[string]map[string]bool{
		"File": {"Write": true, "WriteAt": true, "WriteString": true, "Truncate": true, "Sync": true, "Chmod": true, "Chown": true, "ReadFrom": true},
		"Root": {"Mkdir": true, "MkdirAll": true, "Create": true, "OpenFile": true, "WriteFile": true, "Remove": true, "RemoveAll": true, "Rename": true, "Link": true, "Symlink": true, "Chmod": true, "Chown": true, "Lchown": true, "Chtimes": true},
	}
	files, info := checked(t)
	found := 0
	for _, f := range files {
		ast.Inspect(f.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			bad := ""
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				if id, ok := sel.X.(*ast.Ident); ok {
					for _, prefix := range packages[id.Name] {
						exact := id.Name == "os"
						if _, isPkg := info.Uses[id].(*types.PkgName); isPkg && (sel.Sel.Name == prefix || !exact && strings.HasPrefix(sel.Sel.Name, prefix)) {
							bad = id.Name + "." + sel.Sel.Name
						}
					}
				}
				if s := info.Selections[sel]; s != nil {
					recv := strings.TrimPrefix(s.Recv().String(), "*")
					if name, ok := strings.CutPrefix(recv, "os."); ok && methods[name][sel.Sel.Name] {
						bad = recv + "." + sel.Sel.Name
					}
				}
			}
			// A file given to what writes to it.
			if bad == "" {
				sig, _ := info.TypeOf(call.Fun).(*types.Signature)
				for i, arg := range call.Args {
					at := info.TypeOf(arg)
					if sig == nil || at == nil || at.String() != "*os.File" || i >= sig.Params().Len() {
						continue
					}
					if to := sig.Params().At(i).Type().String(); to == "io.Writer" || to == "io.WriterAt" {
						bad = "a file as an " + to
					}
				}
			}
			if bad == "" {
				return true
			}
			found++
			last := bad[strings.LastIndexByte(bad, '.')+1:]
			if allowed[f.name] == "" && allowed[f.name+" "+last] == "" {
				t.Errorf("%s: %s goes past the seam", f.set.Position(call.Pos()), bad)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("only %d effects were found at all: the check sees nothing", found)
	}
}

type parsed struct {
	name string
	file *ast.File
	set  *gotoken.FileSet
}

// checked parses the package and finds out types as far as the standard
// packages' names tell.
func checked(t *testing.T) (files []parsed, info *types.Info) {
	t.Helper()
	set := gotoken.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, parsed{name, f, set})
		all = append(all, f)
	}
	info = &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection)}
	conf := types.Config{Importer: onlyOS{importer.ForCompiler(set, "source", nil)}, Error: func(error) {}}
	conf.Check("commit", set, all, info)
	return files, info
}

// onlyOS imports what the check needs types of; the rest is left open.
type onlyOS struct{ types.Importer }

func (o onlyOS) Import(path string) (*types.Package, error) {
	if path == "os" || path == "io" {
		return o.Importer.Import(path)
	}
	return nil, errors.New("not needed")
}
