package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker for releases (-X main.version=v1.2.3); otherwise
// the build information says what is known.
var version = ""

func versionCmd() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version and how it was built",
		Action: func(c *cli.Context) error {
			_, err := fmt.Fprintln(c.App.Writer, buildInfo())
			return err
		},
	}
}

// versionName is the short version, "devel" when nothing is known.
func versionName() string {
	if version != "" {
		return version
	}
	if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" && bi.Main.Version != "(devel)" {
		return bi.Main.Version
	}
	return "devel"
}

func buildInfo() string {
	s := "hubfs " + versionName()
	if bi, ok := debug.ReadBuildInfo(); ok {
		settings := map[string]string{}
		for _, kv := range bi.Settings {
			settings[kv.Key] = kv.Value
		}
		if rev := settings["vcs.revision"]; rev != "" {
			s += ", commit " + rev
			if settings["vcs.modified"] == "true" {
				s += " (modified)"
			}
			s += ", " + settings["vcs.time"]
		}
	}
	return fmt.Sprintf("%s, %s %s/%s", s, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
