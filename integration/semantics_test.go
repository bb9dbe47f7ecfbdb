package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
)

// An example is a command of SEMANTICS.md with what it prints.
type example struct {
	line    int
	command string
	want    []string
}

// examples are those of all ```console blocks, in their order.
func examples(t *testing.T, text string) (all []example) {
	t.Helper()
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, example{line: i + 1, command: line[2:]})
		case strings.HasPrefix(line, "> ") && len(all) > 0 && len(all[len(all)-1].want) == 0:
			all[len(all)-1].command += "\n" + line[2:]
		case len(all) == 0:
			t.Fatalf("SEMANTICS.md:%d: output before a command", i+1)
		default:
			all[len(all)-1].want = append(all[len(all)-1].want, line)
		}
	}
	return all
}

// matches compares what was printed. A line "…" stands for any lines, and in a
// line "…" for any characters.
func (e example) matches(got []string) bool { return linesMatch(e.want, got) }

func linesMatch(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "…" {
		for n := range len(got) + 1 {
			if linesMatch(want[1:], got[n:]) {
				return true
			}
		}
		return false
	}
	if len(got) == 0 {
		return false
	}
	parts := strings.Split(strings.TrimRight(want[0], " "), "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	line := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
	return line.MatchString(strings.TrimRight(got[0], " ")) && linesMatch(want[1:], got[1:])
}

// prelude is what the examples take for granted: who they are typed by, and a
// colleague, who commits a line to a file of acme/m from elsewhere.
const prelude = `
export PS1= LC_ALL=C.UTF-8
colleague() (
	d=$(mktemp -d -p "$HOME")
	mkdir "$d/m"
	export HF_TOKEN=hf_ana HUBFS_STATE_DIR=$d/state HUBFS_CACHE_DIR=$d/cache
	hubfs mount acme/m "$d/m" && printf '%s\n' "$2" > "$d/m/$1" && hubfs umount -m "${3:-Edit $1}" "$d/m"
) > /dev/null
cd
`

const prompt = "-- prompt --"

// A shell runs commands one after the other, with all that they leave behind.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func (s *shell) run(command string) (lines []string, err error) {
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%%s\\n' '%s'\n", command, prompt); err != nil {
		return nil, err
	}
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return lines, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == prompt {
			break
		}
		lines = append(lines, line)
	}
	// The prompt begins a line: before it there may be one that is empty.
	if n := len(lines); n > 0 && lines[n-1] == "" {
		lines = lines[:n-1]
	}
	return lines, nil
}

// Every example of SEMANTICS.md does what stands there.
func TestProofSemantics(t *testing.T) {
	if binary == "" {
		t.Fatal("there is no command to test")
	}
	if os.Getuid() != 0 {
		proof.Missing(t, "needs root for the mount")
	}
	text, err := os.ReadFile("../SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	all := examples(t, string(text))
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(bin, "hubfs")); err != nil {
		t.Fatal(err)
	}
	url := serveHub(ctx, t, path, filepath.Join(home, "server"))

	sh := exec.CommandContext(ctx, "bash", "--norc", "--noprofile")
	sh.Env = []string{
		"HOME=" + home, "PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + home,
		"HF_ENDPOINT=" + url, "HF_TOKEN=hf_me", "HUBFS_WAIT=1s",
	}
	sh.WaitDelay = 5 * time.Second
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := sh.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	sh.Stderr = sh.Stdout
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		sh.Wait()
		for _, dir := range []string{filepath.Join(home, "hub"), filepath.Join(home, "one")} {
			if mounted(dir) {
				end := exec.Command(path, "umount", "--force", dir)
				end.Env = sh.Env
				end.Run()
			}
		}
	})
	s := &shell{in: in, out: bufio.NewReader(out)}
	if lines, err := s.run(prelude); err != nil || len(lines) > 0 {
		t.Fatalf("%q, %v", lines, err)
	}
	as := strings.NewReplacer(home, "/home/me", url, "https://huggingface.co")
	for _, e := range all {
		got, err := s.run(e.command)
		for i := range got {
			got[i] = as.Replace(got[i])
		}
		if err != nil || !e.matches(got) {
			t.Fatalf("SEMANTICS.md:%d: $ %s\nprints\n  %s\nnot\n  %s\n%v", e.line, e.command, strings.Join(got, "\n  "), strings.Join(e.want, "\n  "), err)
		}
	}
	const atLeast = 50
	if len(all) < atLeast {
		t.Errorf("%d examples, want %d: are the blocks still found?", len(all), atLeast)
	}
	proof.Say(t, "%d examples do what is written", len(all))
}

// serveHub starts "hubfs hub" and gives its address.
func serveHub(ctx context.Context, t *testing.T, binary, dir string) string {
	t.Helper()
	hub := exec.CommandContext(ctx, binary, "hub", "--listen", "127.0.0.1:0", "--dir", dir, "--user", "me=hf_me,acme", "--user", "ana=hf_ana,acme")
	hub.Cancel = func() error { return hub.Process.Signal(os.Interrupt) }
	hub.WaitDelay = 5 * time.Second
	out, err := hub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hub.Process.Signal(os.Interrupt)
		hub.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "hub listens on ")
	if err != nil || !ok {
		t.Fatalf("the hub says %q, %v", line, err)
	}
	return url
}

// The comparison itself says no.
func TestExamplesAreCompared(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a\nb", "a\nb", true}, {"a", "a\nb", false}, {"a\nb", "a", false}, {"…", "", true}, {"…\nb", "x\ny\nb", true},
		{"…\nb", "x\ny", false}, {"a … c", "a b c", true}, {"a … c", "a b d", false}, {"a.c", "abc", false},
	} {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, "\n")
		}
		if got := linesMatch(split(c.want), split(c.got)); got != c.ok {
			t.Errorf("%q and %q: %v", c.want, c.got, got)
		}
	}
}
