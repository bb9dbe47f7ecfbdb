package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/hubfs/hubfs/commit"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A progress shows how commits go on: bars on a terminal, else a line for each
// step.
type progress struct {
	plain io.Writer
	bars  *mpb.Progress // nil when plain
	repos map[string]*repoProgress
}

type repoProgress struct {
	bar   *mpb.Bar
	phase string
	text  atomic.Pointer[string] // before the bar; read by the goroutine that draws
	bytes atomic.Pointer[string] // after it
}

func newProgress(w io.Writer) *progress {
	p := &progress{plain: w, repos: map[string]*repoProgress{}}
	if f, ok := w.(*os.File); ok {
		// A terminal of unknown width shows no bars.
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			p.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
		}
	}
	return p
}

// event shows one event of a commit of repo. It must not be called
// concurrently.
func (p *progress) event(repo string, e commit.Event) {
	r := p.repos[repo]
	if r == nil {
		r = &repoProgress{}
		r.text.Store(new(string))
		r.bytes.Store(new(string))
		p.repos[repo] = r
	}
	changed := r.phase != e.Phase
	r.phase = e.Phase
	if p.bars == nil {
		if line := phaseLine(e); changed && line != "" {
			fmt.Fprintf(p.plain, "%s: %s\n", repo, line)
		}
		return
	}
	if e.Phase == "done" {
		if r.bar != nil {
			r.bar.Abort(true)
			r.bar = nil
		}
		return
	}
	if r.bar == nil {
		r.bar = p.bars.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(repo+" ", decor.WCSyncSpaceR),
				decor.Any(func(decor.Statistics) string { return *r.text.Load() }, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *r.bytes.Load() })),
		)
	}
	text, bytes := barText(e), sized(e.Done)+" / "+sized(e.Total)
	r.text.Store(&text)
	r.bytes.Store(&bytes)
	// A total that has been reached would end the bar before the next phase.
	r.bar.SetTotal(max(e.Total, e.Done+1), false)
	r.bar.SetCurrent(e.Done)
}

// close ends the display, so that lines may be printed below it.
func (p *progress) close() {
	if p.bars == nil {
		return
	}
	for _, r := range p.repos {
		if r.bar != nil {
			r.bar.Abort(true)
		}
	}
	p.bars.Wait()
}

// barText is what stands before a bar, which shows the bytes.
func barText(e commit.Event) string {
	verb := map[string]string{"hash": "reading", "upload": "uploading", "commit": "committing"}[e.Phase]
	if verb == "" {
		return phaseLine(e)
	}
	return fmt.Sprintf("%s %s of %s", verb, humanize.Comma(int64(min(e.Files, e.TotalFiles))), plural(e.TotalFiles, "file", "files"))
}

func phaseLine(e commit.Event) string {
	files := plural(e.TotalFiles, "file", "files")
	switch e.Phase {
	case "hash":
		return fmt.Sprintf("reading %s, %s", files, sized(e.Total))
	case "upload":
		return fmt.Sprintf("uploading %s, %s", files, sized(e.Total))
	case "commit":
		return "committing " + files
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
