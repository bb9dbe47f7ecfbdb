package main

import (
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// output is how a command tells what it did.
type output struct {
	JSON  bool // one JSON object, also after an error; see SEMANTICS.md
	Quiet bool // errors only
}

func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print JSON, for programs"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only, for scripts"},
	}
}

func jsonFlag() []cli.Flag { return outputFlags()[:1] }

func outputOf(c *cli.Context) output {
	return output{JSON: c.Bool("json"), Quiet: c.Bool("quiet")}
}

// An outcome is part of every JSON object that a command prints.
type outcome struct {
	Code  int    `json:"code"`            // the exit code
	Error string `json:"error,omitempty"` // what standard error has, too
}

func outcomeOf(err error) outcome { return outcome{exitCode(err), message(err)} }

// failed is for errors that end a command before it has anything to tell.
func (o output) failed(out io.Writer, err error) error {
	if !o.JSON || err == nil {
		return err
	}
	if werr := printJSON(out, outcomeOf(err)); werr != nil {
		return werr
	}
	return err
}

// progress is where a commit shows how it goes on.
func (o output) progress(errOut io.Writer) *progress {
	if o.JSON || o.Quiet {
		errOut = io.Discard
	}
	return newProgress(errOut)
}

// sized is a number of bytes as people read it. What another process or the Hub
// says may be anything.
func sized(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// isTerminal tells whether people look at it as it is printed.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
