package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	a := &cli.App{Commands: []*cli.Command{{
		Name: "sync",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "message", Aliases: []string{"m"}},
			&cli.BoolFlag{Name: "private"},
		},
	}}}
	for in, want := range map[string]string{
		"hubfs":                              "hubfs",
		"hubfs other x -m y":                 "hubfs other x -m y",
		"hubfs sync /a -m First":             "hubfs sync -m First -- /a",
		"hubfs sync /a -m=First":             "hubfs sync -m=First -- /a",
		"hubfs sync /a --private /b":         "hubfs sync --private -- /a /b",
		"hubfs sync -m -x /a":                "hubfs sync -m -x -- /a",
		"hubfs sync --private -- -m":         "hubfs sync --private -- -m",
		"hubfs sync /a --unknown v":          "hubfs sync --unknown -- /a v",
		"hubfs sync - --message":             "hubfs sync --message -- -",
		"hubfs sync --private":               "hubfs sync --private",
		"hubfs sync /a --message First --no": "hubfs sync --message First --no -- /a",
	} {
		if got := strings.Join(flagsFirst(a, strings.Fields(in)), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}
