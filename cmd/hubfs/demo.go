package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func demoCmd() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "a small Hub on this machine, mounted, to try things on",
		Description: `Serves a Hub of its own with a model, a dataset and a Space, and mounts it in a
fresh folder. On a terminal it says what to try and stays until Ctrl-C; otherwise
it takes the tour itself and fails if anything is not as it should be. It needs
no network and no account, and leaves nothing behind.

` + exitHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "tour", Usage: "take the tour on a terminal, too, for who would rather watch"},
		},
		Action: run(func(ctx context.Context, c *cli.Context) error {
			if c.Args().Present() {
				return usage("demo wants no arguments (see hubfs demo --help)")
			}
			o := demoOptions{Stay: !c.Bool("tour") &&
				term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))}
			// Whatever happens to the terminal, the way out is the one that
			// leaves nothing behind.
			signal.Ignore(syscall.SIGPIPE)
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer signal.Stop(hangup)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() {
				select {
				case <-hangup:
					cancel()
				case <-ctx.Done():
				}
			}()
			return demo(ctx, o, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

type demoOptions struct {
	Stay bool // say what to try and wait for ctx, instead of taking the tour
}

// tourTime is far more than the tour takes, and less than what people wait.
const tourTime = 100 * time.Second

// demo serves a Hub, mounts it by the mount command's own function, takes the
// tour or waits for ctx, and removes everything.
func demo(ctx context.Context, o demoOptions, out, errOut io.Writer) (err error) {
	// The daemon is told to end with the thread that started it, so that it
	// does not outlive even a killed demo.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What the environment says is about the real Hub.
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		os.Unsetenv(name)
	}
	dir, err := os.MkdirTemp("", "hubfs-demo-")
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	d := &demoRun{dir: dir, mnt: filepath.Join(dir, "hub"), out: out, errOut: errOut}
	defer func() { err = errors.Join(err, d.cleanUp()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	if o.Stay {
		return d.stay(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tourTime, fmt.Errorf("the tour took more than %s", tourTime))
	defer cancel()
	if err := d.tour(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		d.showLog()
		return err
	}
	return nil
}

// A demoRun is one run of the demo, all of it below dir.
type demoRun struct {
	dir, mnt    string
	out, errOut io.Writer
	hub         *hubtest.Hub
	token       string
}

const (
	demoUser    = "you"
	demoModelID = "acme/tiny-gpt2"
	demoDataID  = "datasets/acme/greetings"
	demoSpaceID = "spaces/acme/hello"
	demoNewID   = demoUser + "/my-gpt2"
)

func (d *demoRun) start(ctx context.Context) (err error) {
	d.hub, err = hubtest.New(hubtest.Options{Dir: filepath.Join(d.dir, "server")})
	if err != nil {
		return err
	}
	// Others on this machine can reach the port, so the token is not a
	// well-known one.
	random := make([]byte, 16)
	rand.Read(random)
	d.token = "hf_demo" + hex.EncodeToString(random)
	d.hub.AddUser(demoUser, d.token, hubtest.User{})
	for id, files := range map[string]map[string]string{
		demoModelID: demoModel(), demoDataID: demoDataset(), demoSpaceID: demoSpace(),
	} {
		d.hub.Repo(id).Commit("main", "Add files", files)
	}
	if err := d.hub.Start("127.0.0.1:0"); err != nil {
		return err
	}
	tokenFile := filepath.Join(d.dir, "token")
	if err := os.WriteFile(tokenFile, []byte(d.token), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(d.mnt, 0o700); err != nil {
		return err
	}
	o := mountOptions{
		hubOptions: hubOptions{Endpoint: d.hub.URL(), TokenFile: tokenFile},
		MountPoint: d.mnt,
		CacheDir:   filepath.Join(d.dir, "cache"), StateDir: filepath.Join(d.dir, "state"),
		LogFile: d.logFile(), dieWithStarter: true,
	}
	return mount(ctx, o, d.out, d.errOut)
}

func (d *demoRun) logFile() string { return filepath.Join(d.dir, "log") }

// stay says what to try and waits to be interrupted.
func (d *demoRun) stay(ctx context.Context) error {
	fmt.Fprintf(d.out, `
A Hub with %s, %s and %s is mounted. Try, in another terminal:

  cd %s
  ls -l %s
  cat %s/config.json
  head -3 %s/data/train.jsonl
  python -c 'from transformers import pipeline; print(pipeline("text-generation", "%s")("Hello"))'
  cp -r %s %s          # a new repo, staged
  hubfs status
  hubfs sync %s -m "My first commit"

Ctrl-C ends it and removes everything.
`, demoModelID, demoDataID, demoSpaceID, d.mnt, demoModelID, demoModelID, demoDataID,
		filepath.Join(d.mnt, demoModelID), demoModelID, demoNewID, filepath.Join(d.mnt, demoNewID))
	<-ctx.Done()
	fmt.Fprintln(d.out)
	return nil
}

// cleanUp leaves neither a mount nor a process nor a file, whatever state the
// run is in.
func (d *demoRun) cleanUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	if info, err := covering(d.mnt); err == nil && info.Mountpoint == d.mnt {
		errs = append(errs, umount(ctx, umountOptions{MountPoint: d.mnt, Force: true}, io.Discard, d.errOut))
	}
	if d.hub != nil {
		errs = append(errs, d.hub.Close())
	}
	// Never below a mount that would not go: that is the Hub's content.
	if info, err := covering(d.mnt); err == nil && info.Mountpoint != d.mnt {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

// showLog prints the daemon's log, which is about to be removed.
func (d *demoRun) showLog() {
	if b, err := os.ReadFile(d.logFile()); err == nil && len(b) > 0 {
		fmt.Fprintf(d.errOut, "The log of the daemon:\n%s", b)
	}
}
