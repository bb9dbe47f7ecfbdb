package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
)

// hubOptions say which Hub, and who asks.
type hubOptions struct {
	Endpoint  string
	TokenFile string
}

func hubFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "endpoint", EnvVars: []string{"HF_ENDPOINT"},
			Usage: "`URL` of the Hub, for users of a private or a test Hub",
		},
		&cli.PathFlag{
			Name: "token-file", EnvVars: []string{"HUBFS_TOKEN_FILE"},
			Usage: "`FILE` that holds the token, for services; else HF_TOKEN, HF_TOKEN_PATH or the saved login",
		},
	}
}

func hubOptionsOf(c *cli.Context) hubOptions {
	return hubOptions{Endpoint: c.String("endpoint"), TokenFile: c.Path("token-file")}
}

// clientOptions are what huggingface_hub would use, with the flags on top, and
// in words where the token came from. No flag holds a token: command lines can
// be read by everybody.
func (o hubOptions) clientOptions() (opts remote.Options, tokenFrom string, err error) {
	opts, err = remote.FromEnv()
	if err != nil {
		return opts, "", err
	}
	opts.UserAgent = "hubfs/" + versionName()
	if o.Endpoint != "" {
		opts.Endpoint = o.Endpoint
	}
	switch {
	case o.TokenFile != "":
		token, err := readToken(o.TokenFile)
		if err != nil {
			return opts, "", err
		}
		opts.Token, tokenFrom = token, o.TokenFile
	case opts.Token != "":
		tokenFrom = "the saved login"
		for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
			if cleanToken(os.Getenv(name)) == opts.Token {
				tokenFrom = name
				break
			}
		}
	}
	return opts, tokenFrom, nil
}

// cleanToken removes line ends and surrounding space, as huggingface_hub does.
func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

// maxToken is far more than any token has.
const maxToken = 8 << 10

// readToken reads a token from a file. A file without one is an error, because
// who names a file does not want to be anonymous.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := cleanToken(string(b))
	switch {
	case token == "":
		return "", fmt.Errorf("token file %s is empty", path)
	case len(b) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("token file %s does not hold a token", path)
	}
	return token, nil
}

// badToken is what to say when the Hub refuses the token.
func badToken(endpoint, from string) error {
	if from == "" {
		from = "the saved login"
	}
	return fmt.Errorf("%s does not accept the token of %s: renew it (hf auth login), or remove it to go on anonymously", endpoint, from)
}

// refused tells whether an answer to "who am I" is about the token.
func refused(err error) bool {
	var e *remote.Error
	return errors.Is(err, remote.ErrBadToken) || errors.As(err, &e) && (e.Status == 401 || e.Status == 403)
}
