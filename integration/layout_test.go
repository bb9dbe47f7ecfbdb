package integration

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hubfs/hubfs/"

// layout lists every package with those of ours it may import. Imports go
// down only. A new package needs a line here, and a reason in DESIGN.md.
var layout = map[string][]string{
	"remote/hubtest":    {},
	"remote":            {},
	"blockcache":        {},
	"commit":            {"blockcache", "remote"},
	"fs":                {"blockcache", "commit", "remote"},
	"cmd/hubfs":         {"blockcache", "commit", "fs", "remote", "remote/hubtest"},
	"integration":       {},
	"integration/bench": {},
	"integration/proof": {},
	"integration/tally": {},
}

// alone are the packages that stand alone, with what they may import beside the
// standard library. hubtest does, so that it is a second reading of the protocol
// that catches the client's errors; it judges the YAML of model cards as the Hub
// does.
var alone = map[string][]string{
	"remote/hubtest":    {"go.yaml.in/yaml/v3"},
	"integration/tally": nil,
	"integration/proof": nil,
}

const (
	maxLines     = 500
	maxTestLines = 700
	maxMethods   = 3 // of an interface
)

type source struct {
	dir, name string // dir relative to the module's root, with slashes
	text      []byte
	file      *ast.File // of Go files
}

func (s source) path() string { return path.Join(s.dir, s.name) }
func (s source) test() bool   { return strings.HasSuffix(s.name, "_test.go") }

func sources(t *testing.T, ext ...string) (all []source) {
	t.Helper()
	root := ".."
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (n == "bin" || n == "testdata" || n == "__pycache__" || n == ".git") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !slices.Contains(ext, filepath.Ext(p)) {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{dir: path.Dir(filepath.ToSlash(rel)), name: d.Name(), text: text}
		if filepath.Ext(p) == ".go" {
			s.file, err = parser.ParseFile(token.NewFileSet(), p, text, parser.ParseComments|parser.SkipObjectResolution)
		}
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("found no source")
	}
	return all
}

func TestLayoutImports(t *testing.T) {
	for _, s := range sources(t, ".go") {
		allowed, ok := layout[s.dir]
		if !ok {
			t.Errorf("%s: package %s is not in the layout", s.path(), s.dir)
			continue
		}
		beside, standsAlone := alone[s.dir]
		for _, spec := range s.file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, isOurs := strings.CutPrefix(imp, module)
			isStd := !strings.Contains(strings.Split(imp, "/")[0], ".")
			switch {
			case isOurs && ours == s.dir && s.test(): // an external test package
			case isOurs && !slices.Contains(allowed, ours) && !testMayImport(s, ours):
				t.Errorf("%s imports %s, which is not below it", s.path(), ours)
			case !isOurs && !isStd && !s.test() && standsAlone && !slices.Contains(beside, imp):
				t.Errorf("%s imports %s: %s stands alone", s.path(), imp, s.dir)
			case (imp == "testing" || strings.HasPrefix(imp, "testing/")) && !s.test():
				t.Errorf("%s imports %s outside a test", s.path(), imp)
			}
		}
	}
}

// Tests go through the wire: any of them may use the in-process Hub, and have
// sizes.
func testMayImport(s source, ours string) bool {
	return s.test() && (ours == "remote/hubtest" || ours == "integration/proof" || s.dir == "integration")
}

func TestLayoutPackagesAreDescribed(t *testing.T) {
	have := map[string]bool{}
	for _, s := range sources(t, ".go") {
		if s.name == "doc.go" && s.file.Doc.Text() != "" {
			have[s.dir] = true
		}
	}
	for dir := range layout {
		if !have[dir] {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

func TestLayoutFileSizes(t *testing.T) {
	for _, s := range sources(t, ".go", ".py") {
		limit := maxLines
		if s.test() {
			limit = maxTestLines
		}
		if n := bytes.Count(s.text, []byte("\n")); n > limit {
			t.Errorf("%s has %d lines, more than %d: split it by subject", s.path(), n, limit)
		}
	}
}

func TestLayoutNothingIsLeftOpen(t *testing.T) {
	for _, s := range sources(t, ".go", ".py", ".md", ".sh", "") {
		if s.path() == "integration/layout_test.go" {
			continue
		}
		for i, line := range bytes.Split(s.text, []byte("\n")) {
			for _, word := range []string{"TODO", "FIXME", "XXX"} {
				if bytes.Contains(line, []byte(word)) && !bytes.Contains(line, []byte(word+"X")) {
					t.Errorf("%s:%d: %s", s.path(), i+1, bytes.TrimSpace(line))
				}
			}
		}
	}
}

// Interfaces stay small enough to be implemented in a test by hand.
func TestLayoutInterfaces(t *testing.T) {
	for _, s := range sources(t, ".go") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if it, ok := spec.Type.(*ast.InterfaceType); ok && it.Methods.NumFields() > maxMethods {
				t.Errorf("%s: interface %s has %d methods, more than %d", s.path(), spec.Name, it.Methods.NumFields(), maxMethods)
			}
			return true
		})
	}
}

// os.Exit skips every deferred clean-up, so only main (and TestMain) call it.
func TestLayoutExits(t *testing.T) {
	for _, s := range sources(t, ".go") {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil && (f.Name.Name == "main" || f.Name.Name == "TestMain") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && sel.Sel.Name == "Exit" && !s.test() {
					t.Errorf("%s: %s calls os.Exit", s.path(), f.Name)
				}
				return true
			})
		}
	}
}
