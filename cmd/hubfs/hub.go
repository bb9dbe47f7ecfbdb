package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/hubfs/hubfs/remote/hubtest"
	"github.com/urfave/cli/v2"
)

func hubCmd() *cli.Command {
	return &cli.Command{
		Name:  "hub",
		Usage: "serve a Hub of your own, for tests and for trying things out",
		Description: `Runs a server that speaks the Hub's protocol, with its repos in a directory, until it
is told to end (Ctrl-C). Any client works with it: set HF_ENDPOINT to the address
that is printed, and HF_TOKEN to the token of a --user. Large files are uploaded the
LFS way, which the Python client does with HF_HUB_DISABLE_XET=1.

	hubfs hub --dir /tmp/hub --user me=hf_secret --import acme/model=./model`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8090", Usage: "`ADDRESS` of the API; port 0 picks a free one (content is served on another free port)"},
			&cli.PathFlag{Name: "dir", Usage: "`DIR` that keeps repos and their history; without it they are gone at the end"},
			&cli.StringSliceFlag{Name: "user", Usage: "`NAME=TOKEN` of a user; NAME=TOKEN,ORG,… also makes it a member of organisations that may write"},
			&cli.StringSliceFlag{Name: "import", Usage: "`ORG/NAME=FOLDER` to make a commit of, unless the repo holds the same; also datasets/ORG/NAME and spaces/ORG/NAME"},
			&cli.PathFlag{Name: "access-log", Usage: "`FILE` for one JSON line per request, of API and content"},
			&cli.DurationFlag{Name: "delay", Usage: "`TIME` before each answer, to be as far away as a real Hub (20ms)"},
			&cli.StringFlag{Name: "conn-rate", Usage: "`SIZE` per second that one connection carries at most (100MB)"},
			&cli.StringFlag{Name: "rate", Usage: "`SIZE` per second that all connections carry at most (1GB)"},
			&cli.IntFlag{Name: "page-size", Hidden: true, Usage: "entries per page of a listing, for testing clients"},
			&cli.DurationFlag{Name: "url-ttl", Hidden: true, Usage: "life of content URLs, for testing clients"},
			&cli.StringFlag{Name: "multipart", Hidden: true, Usage: "`SIZE` above which uploads go in parts of that size, for testing clients"},
			&cli.StringFlag{Name: "resolve", Hidden: true, Usage: "A, B or C: how every file is served, for testing clients"},
		},
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := hubServerOptions{
				Listen: c.String("listen"), Dir: c.Path("dir"), AccessLog: c.Path("access-log"),
				Users: map[string]string{}, PageSize: c.Int("page-size"), URLTTL: c.Duration("url-ttl"),
				Resolve: c.String("resolve"), Shape: hubtest.Shape{Delay: c.Duration("delay")},
			}
			if c.Args().Present() {
				return usage("hub wants no argument but flags: " + c.Args().First() + " (see hubfs hub --help)")
			}
			if err := o.parse(c.StringSlice("user"), c.StringSlice("import"), c.String("conn-rate"), c.String("rate"), c.String("multipart")); err != nil {
				return err
			}
			return hub(ctx, o, c.App.Writer)
		}),
	}
}

type hubServerOptions struct {
	Listen    string
	Dir       string
	Users     map[string]string // token → name and organisations, comma-separated
	Imports   [][2]string       // repo id, folder
	AccessLog string
	Shape     hubtest.Shape
	PageSize  int
	URLTTL    time.Duration
	Resolve   string
	Multipart int64
}

// parse reads the flags that have a syntax of their own. A slice flag of the
// library splits at commas, so the organisations of a user arrive as values
// without "=".
func (o *hubServerOptions) parse(users, imports []string, connRate, rate, multipart string) error {
	token := ""
	for _, u := range users {
		name, t, ok := strings.Cut(u, "=")
		switch {
		case ok && name != "" && t != "":
			token = t
			o.Users[token] = name
		case !ok && token != "" && u != "":
			o.Users[token] += "," + u
		default:
			return usage("--user wants NAME=TOKEN, not " + u)
		}
	}
	for _, i := range imports {
		id, folder, ok := strings.Cut(i, "=")
		if !ok || id == "" || folder == "" {
			return usage("--import wants ORG/NAME=FOLDER, not " + i)
		}
		o.Imports = append(o.Imports, [2]string{strings.TrimPrefix(id, "models/"), folder})
	}
	for _, r := range []struct {
		flag, text string
		to         *int64
	}{{"conn-rate", connRate, &o.Shape.ConnRate}, {"rate", rate, &o.Shape.Rate}, {"multipart", multipart, &o.Multipart}} {
		if r.text == "" {
			continue
		}
		n, err := humanize.ParseBytes(strings.TrimSuffix(r.text, "/s"))
		if err != nil || n == 0 || n > 1<<62 {
			return usage("--" + r.flag + " wants a size such as 100MB, not " + r.text)
		}
		*r.to = int64(n)
	}
	switch o.Resolve {
	case "", "A", "B", "C":
		return nil
	}
	return usage("--resolve wants A, B or C, not " + o.Resolve)
}

// hub serves until ctx ends. Its one line of output comes when it listens.
func hub(ctx context.Context, o hubServerOptions, out io.Writer) (err error) {
	opts := hubtest.Options{Dir: o.Dir, PageSize: o.PageSize, URLTTL: o.URLTTL, MultipartOver: o.Multipart, PartSize: o.Multipart}
	if o.AccessLog != "" {
		f, err := os.OpenFile(o.AccessLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("access log: %w", err)
		}
		defer f.Close()
		opts.AccessLog = f
	}
	h, err := hubtest.New(opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	for token, user := range o.Users {
		name, orgs, _ := strings.Cut(user, ",")
		u := hubtest.User{Orgs: map[string]string{}}
		for org := range strings.SplitSeq(orgs, ",") {
			if org != "" {
				u.Orgs[org] = "write"
			}
		}
		h.AddUser(name, token, u)
	}
	if o.Resolve != "" {
		h.SetQuirks(hubtest.Quirks{Resolve: func(string, string) byte { return o.Resolve[0] }})
	}
	for _, i := range o.Imports {
		if err := importRepo(h, i[0], i[1]); err != nil {
			return fmt.Errorf("import %s: %w", i[0], err)
		}
	}
	h.Shape(o.Shape)
	if err := h.Start(o.Listen); err != nil {
		return err
	}
	fmt.Fprintf(out, "hub listens on %s\n", h.URL())
	<-ctx.Done()
	return nil
}

func importRepo(h *hubtest.Hub, id, folder string) error {
	fi, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	r, err := h.Open(id)
	if err != nil {
		return err
	}
	_, err = r.Import(folder)
	return err
}
