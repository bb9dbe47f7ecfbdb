package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// serveCmd is the daemon; mount starts it (see the package comment).
func serveCmd() *cli.Command {
	return &cli.Command{
		Name:   "serve",
		Hidden: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "options-fd", Required: true},
			&cli.IntFlag{Name: "report-fd", Value: -1},
		},
		Action: run(func(ctx context.Context, c *cli.Context) error {
			rep := &reporter{}
			if fd := c.Int("report-fd"); fd >= 0 {
				unix.CloseOnExec(fd)
				rep.pipe = os.NewFile(uintptr(fd), "reports")
			}
			options := os.NewFile(uintptr(c.Int("options-fd")), "options")
			l, err := readLaunch(options)
			options.Close()
			if err != nil {
				return err
			}
			// The first signal ends the mount in order and the second at once,
			// so the context that main cancels by the first is not for this.
			stop := make(chan os.Signal, 2)
			signal.Notify(stop, endingSignals(l)...)
			defer signal.Stop(stop)
			err = serve(context.WithoutCancel(ctx), l, rep, stop)
			if rep.pipe != nil && err != nil {
				rep.failed(err)
			}
			return err
		}),
	}
}

// endingSignals: a terminal that goes away ends what runs in its foreground.
func endingSignals(l launch) []os.Signal {
	s := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if l.Foreground {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// serve mounts, serves until the mount is gone, and commits what is staged
// then, unless it was to be kept.
func serve(ctx context.Context, l launch, rep *reporter, stop <-chan os.Signal) error {
	if err := harden(l.Foreground); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &daemon{l: l, rep: rep, log: newLogger(l.Debug)}
	started := make(chan error, 1)
	go func() { started <- d.start(ctx) }()
	select {
	case err := <-started:
		defer d.close()
		if err != nil {
			return err
		}
		return d.run(ctx, cancel, stop)
	case <-stop:
		cancel()
		return d.giveUp(started)
	}
}

// giveUp ends a start that was interrupted. What waits for something that no
// context ends is left to the end of the process.
func (d *daemon) giveUp(started <-chan error) error {
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case err := <-started:
		if err == nil {
			err = d.srv.Unmount()
		}
		d.close()
		return errors.Join(context.Canceled, err)
	case <-timer.C:
		return context.Canceled
	}
}

func newLogger(debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
