package fs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// A daemonProcess is a mount served by a process of its own, which can be killed.
type daemonProcess struct {
	cmd  *exec.Cmd
	mnt  string
	conn string // its directory in /sys/fs/fuse/connections
}

// A daemonConfig is what the process is told.
type daemonConfig struct {
	URL, Mnt, Cache, State, Repo, Log string
	NoPassthrough                     bool
}

// daemonIn is one for repo with all it has in dir.
func daemonIn(hub *hubtest.Hub, dir, repo string) daemonConfig {
	in := func(name string) string { return filepath.Join(dir, name) }
	return daemonConfig{URL: hub.URL(), Mnt: in("mnt"), Cache: in("cache"), State: in("state"), Log: in("log"), Repo: repo}
}

func (c daemonConfig) showLog(t *testing.T) {
	if log, err := os.ReadFile(c.Log); err == nil {
		t.Logf("the daemon's log ends with\n%s", log[max(0, len(log)-4000):])
	}
}

func init() {
	children["daemon"] = func(args []string) error {
		var c daemonConfig
		if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
			return err
		}
		return serveDaemon(c)
	}
}

// serveDaemon ends when the mount is gone.
func serveDaemon(c daemonConfig) error {
	out, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	client, err := remote.New(remote.Options{Endpoint: c.URL, Token: token, Timeouts: remote.Timeouts{Backoff: 5 * time.Millisecond}})
	if err != nil {
		return err
	}
	cache, err := blockcache.Open(c.Cache, blockcache.Options{Logger: log})
	if err != nil {
		return err
	}
	store, err := commit.Open(context.Background(), commit.Options{Dir: c.State, Client: client, Cache: cache, Logger: log})
	if err != nil {
		return err
	}
	repo, _, err := remote.ParseRepo(c.Repo)
	if err != nil {
		return err
	}
	srv, err := Mount(c.Mnt, client, store, cache, Options{Repo: &repo, Logger: log, noPassthrough: c.NoPassthrough})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	srv.Wait()
	return errors.Join(store.Close(), cache.Close(), client.Close())
}

// startDaemon returns when the mount is there.
func startDaemon(c daemonConfig) (*daemonProcess, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, string(config))
	cmd.Env = append(os.Environ(), childEnv+"=daemon", "GOMAXPROCS=4", "GORACE=atexit_sleep_ms=0")
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemonProcess{cmd: cmd, mnt: c.Mnt}
	if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "mounted" {
		d.kill()
		return nil, fmt.Errorf("the daemon did not mount: %q", s.Text())
	}
	var st unix.Stat_t
	if err := unix.Stat(c.Mnt, &st); err != nil {
		d.kill()
		return nil, err
	}
	unix.Mount("fusectl", "/sys/fs/fuse/connections", "fusectl", 0, "") // it is there, as a rule
	d.conn = fmt.Sprintf("/sys/fs/fuse/connections/%d", unix.Minor(st.Dev))
	return d, nil
}

// kill is kill -9, and takes the dead mount away. What is open in it stays so.
func (d *daemonProcess) kill() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
	unix.Unmount(d.mnt, unix.MNT_DETACH)
}

// abort frees everybody who waits for the daemon.
func (d *daemonProcess) abort() {
	d.cmd.Process.Signal(unix.SIGQUIT) // its goroutines go to the log
	time.Sleep(time.Second)
	os.WriteFile(filepath.Join(d.conn, "abort"), []byte("1"), 0)
}

// end unmounts, and waits until the daemon has closed everything.
func (d *daemonProcess) end() error {
	err := unix.Unmount(d.mnt, unix.UMOUNT_NOFOLLOW)
	for try := 0; errors.Is(err, unix.EBUSY) && try < 500; try++ {
		time.Sleep(10 * time.Millisecond)
		err = unix.Unmount(d.mnt, unix.UMOUNT_NOFOLLOW)
	}
	if err != nil {
		d.kill()
		return fmt.Errorf("unmount: %w", err)
	}
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("the daemon ended with %w", err)
	}
	return nil
}

// ask writes one line to a control file and gives all lines of the answer to
// each.
func (d *daemonProcess) ask(file string, request any, each func(line []byte) error) error {
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.mnt, ".hubfs", file), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(append(b, '\n')); err != nil {
		return err
	}
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// info is what the daemon knows of a path, which the kernel is not asked for.
func (d *daemonProcess) info(path string) (i Info, err error) {
	err = d.ask("info", InfoRequest{Path: path}, func(line []byte) error { return json.Unmarshal(line, &i) })
	return i, err
}

// sync asks for a commit; all that it tells is in the outcome.
func (d *daemonProcess) sync(req SyncRequest) (o syncOutcome) {
	o.err = d.ask("sync", req, func(line []byte) error {
		var e SyncEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		switch e.Type {
		case "result":
			o.result = e.Result
		case "error":
			o.failed = e
		case "done":
			o.done = true
		}
		return nil
	})
	return o
}

// A syncOutcome is how a sync ended.
type syncOutcome struct {
	result commit.Result
	failed SyncEvent // Type is "" if it did not fail
	done   bool
	err    error // of asking
}

func (o syncOutcome) String() string {
	return fmt.Sprintf("done %v, result %+v, failed %q %q %v, %v", o.done, o.result, o.failed.Code, o.failed.Error, o.failed.Paths, o.err)
}

// status is that of the one worktree.
func (d *daemonProcess) status() (s commit.Status, err error) {
	b, err := os.ReadFile(filepath.Join(d.mnt, ".hubfs", "status"))
	if err != nil {
		return s, err
	}
	var all Status
	if err := json.Unmarshal(b, &all); err != nil {
		return s, err
	}
	if len(all.Worktrees) != 1 {
		return s, fmt.Errorf("%d worktrees", len(all.Worktrees))
	}
	return all.Worktrees[0], nil
}
