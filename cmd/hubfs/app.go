package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func app() *cli.App {
	return &cli.App{
		Name:            "hubfs",
		Usage:           "the Hugging Face Hub as a file system",
		Description:     exitHelp,
		HideVersion:     true,
		HideHelpCommand: true,
		Commands:        commands(),
		// main turns errors into exit codes; the library must not exit.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   onUsageError,
		Action:         unknownCommand,
	}
}

func commands() []*cli.Command {
	cmds := []*cli.Command{
		mountCmd(), umountCmd(), statusCmd(), syncCmd(), diffCmd(), discardCmd(), stageCmd(), infoCmd(),
		demoCmd(), hubCmd(), versionCmd(), serveCmd(),
	}
	for _, c := range cmds {
		settled(c)
	}
	return cmds
}

// settled gives a command what all of them have.
func settled(c *cli.Command) {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	for _, f := range c.Flags {
		if b, ok := f.(*cli.BoolFlag); ok {
			b.DisableDefaultText = true // "default: false" tells nobody anything
		}
	}
	for _, sub := range c.Subcommands {
		settled(sub)
	}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	name := c.App.Name
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
		if c.Command.HelpName != "" {
			name = c.Command.HelpName
		}
	}
	return usage(err.Error() + " (see " + name + " --help)")
}

func unknownCommand(c *cli.Context) error {
	if c.Args().First() == "help" {
		return help(c, c.Args().Get(1))
	}
	if c.Args().Present() {
		return usage("no such command: " + c.Args().First() + " (see hubfs --help)")
	}
	return cli.ShowAppHelp(c)
}

// help is "hubfs help" and "hubfs help mount", as people try it first.
func help(c *cli.Context, name string) error {
	if name == "" {
		return cli.ShowAppHelp(c)
	}
	if c.App.Command(name) == nil {
		return usage("no such command: " + name + " (see hubfs --help)")
	}
	return cli.ShowCommandHelp(c, name)
}

// run makes a command's action of a function that wants nothing of the library
// but the context.
func run(f func(ctx context.Context, c *cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error { return f(c.Context, c) }
}
