package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/hubfs/hubfs/remote"
)

// tour does what a first user does and checks each step.
func (d *demoRun) tour(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.tourList, d.tourConfig, d.tourTensors, d.tourOthers, d.tourCopy, d.tourStatus, d.tourUmount, d.tourReadBack,
	} {
		// The steps wait for the file system, which no context ends; the mount
		// goes away with the demo and so do they.
		if err := detached(ctx, step); err != nil {
			return err
		}
	}
	fmt.Fprintln(d.out, "\nEverything is as it should be.")
	return nil
}

func detached(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// say shows the command that a user would type for what comes next.
func (d *demoRun) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n$ "+format+"\n", args...)
}

func (d *demoRun) path(parts ...string) string {
	return filepath.Join(append([]string{d.mnt}, parts...)...)
}

func (d *demoRun) tourList(context.Context) error {
	d.say("ls -l %s", d.path(demoModelID))
	entries, err := os.ReadDir(d.path(demoModelID))
	if err != nil {
		return err
	}
	want := demoModel()
	want[".gitattributes"] = "" // every repo of the Hub starts with one
	var names []string
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			return err
		}
		names = append(names, e.Name())
		if content := want[e.Name()]; content != "" && fi.Size() != int64(len(content)) {
			return fmt.Errorf("%s has %d bytes, want %d", e.Name(), fi.Size(), len(content))
		}
		fmt.Fprintf(d.out, "%s %8s %s\n", fi.Mode(), humanize.Bytes(uint64(fi.Size())), e.Name())
	}
	if all := slices.Sorted(maps.Keys(want)); !slices.Equal(names, all) {
		return fmt.Errorf("the listing is %q, want %q", names, all)
	}
	return nil
}

func (d *demoRun) tourConfig(context.Context) error {
	d.say("cat %s", d.path(demoModelID, "config.json"))
	b, err := os.ReadFile(d.path(demoModelID, "config.json"))
	if err != nil {
		return err
	}
	d.out.Write(b)
	if string(b) != demoModel()["config.json"] {
		return errors.New("config.json is not what the Hub has")
	}
	return nil
}

func (d *demoRun) tourTensors(context.Context) error {
	d.say("python -c 'from safetensors import safe_open; …'   # the header of model.safetensors")
	f, err := os.Open(d.path(demoModelID, "model.safetensors"))
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	tensors, err := readTensors(f, fi.Size())
	if err != nil {
		return err
	}
	parameters := 0
	for _, t := range demoTensors() {
		got := tensors[t.Name]
		if got.Dtype != "F32" || !slices.Equal(got.Shape, t.Shape) {
			return fmt.Errorf("tensor %s is %+v, want %v", t.Name, got, t.Shape)
		}
		parameters += t.len()
	}
	fmt.Fprintf(d.out, "%d tensors, %s parameters\n", len(tensors), humanize.Comma(int64(parameters)))
	for _, name := range slices.Sorted(maps.Keys(tensors))[:3] {
		fmt.Fprintf(d.out, "  %s %s %v\n", name, tensors[name].Dtype, tensors[name].Shape)
	}
	fmt.Fprintln(d.out, "  …")
	return nil
}

func (d *demoRun) tourOthers(context.Context) error {
	for _, c := range []struct {
		id, file, want string
	}{
		{demoDataID, "data/train.jsonl", demoDataset()["data/train.jsonl"]},
		{demoSpaceID, "index.html", demoSpace()["index.html"]},
	} {
		d.say("head -3 %s", d.path(c.id, c.file))
		b, err := os.ReadFile(d.path(c.id, c.file))
		if err != nil {
			return err
		}
		lines := strings.SplitAfterN(string(b), "\n", 4)
		fmt.Fprint(d.out, strings.Join(lines[:min(3, len(lines))], ""))
		if string(b) != c.want {
			return fmt.Errorf("%s of %s is not what the Hub has", c.file, c.id)
		}
	}
	return nil
}

func (d *demoRun) tourCopy(context.Context) error {
	d.say("cp -r %s %s      # a repo that does not exist yet", d.path(demoModelID), d.path(demoNewID))
	if err := os.Mkdir(d.path(demoNewID), 0o755); err != nil {
		return err
	}
	for name := range demoModel() {
		if err := copyFile(d.path(demoNewID, name), d.path(demoModelID, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (d *demoRun) tourStatus(ctx context.Context) error {
	d.say("hubfs status %s", d.mnt)
	var js bytes.Buffer
	if err := status(ctx, statusOptions{Paths: []string{d.mnt}, output: output{JSON: true}}, &js); err != nil {
		return err
	}
	if err := status(ctx, statusOptions{Paths: []string{d.mnt}}, d.out); err != nil {
		return err
	}
	var got statusReport
	if err := json.Unmarshal(js.Bytes(), &got); err != nil {
		return err
	}
	var staged []string
	for _, m := range got.Mounts {
		for _, w := range m.Worktrees {
			for _, s := range w.Staged {
				staged = append(staged, s.Path)
			}
		}
	}
	slices.Sort(staged)
	if want := slices.Sorted(maps.Keys(demoModel())); !slices.Equal(staged, want) {
		return fmt.Errorf("staged is %q, want %q", staged, want)
	}
	return nil
}

func (d *demoRun) tourUmount(ctx context.Context) error {
	d.say("hubfs umount %s      # commits what is staged", d.mnt)
	return umount(ctx, umountOptions{MountPoint: d.mnt}, d.out, d.errOut)
}

// tourReadBack asks the Hub over its API, without a mount.
func (d *demoRun) tourReadBack(ctx context.Context) error {
	fmt.Fprintf(d.out, "\nRead back %s from the Hub:\n", demoNewID)
	if left, err := os.ReadDir(d.mnt); err != nil || len(left) > 0 {
		return fmt.Errorf("the mount is not gone: %v %v", left, err)
	}
	client, err := remote.New(remote.Options{Endpoint: d.hub.URL(), Token: d.token})
	if err != nil {
		return err
	}
	defer client.Close()
	repo, _, err := remote.ParseRepo(demoNewID)
	if err != nil {
		return err
	}
	snap, err := client.Snapshot(ctx, repo)
	if err != nil {
		return err
	}
	model := demoModel()
	for _, name := range slices.Sorted(maps.Keys(model)) {
		want := model[name]
		e, err := snap.Stat(ctx, name)
		if err != nil {
			return err
		}
		r, err := client.Content(repo, snap.Commit(), e).ReadRange(ctx, 0, e.Size)
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return err
		}
		if sum := sha256.Sum256([]byte(want)); !bytes.Equal(h.Sum(nil), sum[:]) {
			return fmt.Errorf("%s is not what was copied", name)
		}
		fmt.Fprintf(d.out, "  %-24s sha256 %x… equal\n", name, h.Sum(nil)[:8])
	}
	var titles []string
	for c, err := range client.Commits(ctx, repo) {
		if err != nil {
			return err
		}
		titles = append(titles, c.Title)
	}
	// The one that creates a repo, and one for all that was staged.
	if len(titles) != 2 {
		return fmt.Errorf("the repo has the commits %q, want one and the initial one", titles)
	}
	fmt.Fprintf(d.out, "  one commit: %s %q\n", snap.Commit()[:12], titles[0])
	return nil
}
