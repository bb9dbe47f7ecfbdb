package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A PullRequest is a proposal to change a repo's default branch. Its commits
// can be read, and gone on with by its author, at Repo.Rev = Ref.
type PullRequest struct {
	Number  int
	Title   string
	Author  string    // "" for a user that is gone
	Status  string    // "draft", "open", "closed" or "merged"
	Created time.Time // zero if the server does not say
}

// Ref is the revision that holds its commits: "refs/pr/3".
func (p PullRequest) Ref() string { return pullRef(p.Number) }

func pullRef(n int) string { return "refs/pr/" + strconv.Itoa(n) }

var pullPage = regexp.MustCompile(`/discussions/([1-9][0-9]{0,8})$`)

// pullNumber reads the number out of the address of a pull request's page.
func pullNumber(page string) (int, bool) {
	m := pullPage.FindStringSubmatch(page)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// PullRequests lists the pull requests of the repo, open and closed, newest
// first, page by page as the caller goes on. The revision of repo does not
// matter. After an error the sequence ends. A repo whose owner has switched
// discussions off is fs.ErrPermission.
func (c *Client) PullRequests(ctx context.Context, repo Repo) iter.Seq2[PullRequest, error] {
	return func(yield func(PullRequest, error) bool) {
		if err := repo.check(); err != nil {
			yield(PullRequest{}, err)
			return
		}
		last := 0
		// One that was opened meanwhile moves the others on by one place.
		tell := func(p PullRequest) bool {
			if last != 0 && p.Number >= last {
				return true
			}
			last = p.Number
			return yield(p, nil)
		}
		var pinned []PullRequest // the Hub puts them first; here they have their place
		for page := 0; ; page++ {
			pulls, top, more, err := c.pullPage(ctx, repo, page)
			if err == nil && page >= maxPages {
				err = errors.New("the list has no end")
			}
			if err != nil {
				yield(PullRequest{}, fmt.Errorf("pull requests of %s: %w", repo.Path(), err))
				return
			}
			pinned = append(pinned, top...)
			slices.SortFunc(pinned, func(a, b PullRequest) int { return cmp.Compare(b.Number, a.Number) })
			for _, p := range pulls {
				for len(pinned) > 0 && pinned[0].Number > p.Number {
					if !tell(pinned[0]) {
						return
					}
					pinned = pinned[1:]
				}
				if !tell(p) {
					return
				}
			}
			if !more {
				break
			}
		}
		for _, p := range pinned {
			if !tell(p) {
				return
			}
		}
	}
}

// pullPage is one page of the list, those that are pinned at the top of it by
// themselves, and whether there are more.
func (c *Client) pullPage(ctx context.Context, repo Repo, page int) (pulls, pinned []PullRequest, more bool, err error) {
	var w struct {
		Count *int `json:"count"`
		Start int  `json:"start"`
		List  []struct {
			Number int    `json:"num"`
			Title  string `json:"title"`
			Status string `json:"status"`
			PR     bool   `json:"isPullRequest"`
			Pinned bool   `json:"pinned"`
			Date   string `json:"createdAt"`
			Author struct {
				Name string `json:"name"`
			} `json:"author"`
		} `json:"discussions"`
	}
	q := url.Values{"type": {"pull_request"}, "p": {strconv.Itoa(page)}}
	res, err := c.getJSON(ctx, repo.api()+"/discussions?"+q.Encode(), &w, maxPage)
	if err != nil {
		return nil, nil, false, err
	}
	// A list that is not there is no empty one: whoever looks for a pull request
	// of theirs would open another.
	if w.Count == nil || w.List == nil || len(w.List) == 0 && *w.Count > w.Start {
		return nil, nil, false, c.netError(res.Request, errors.New("the answer is not the list that was asked for"))
	}
	for _, d := range w.List {
		if !d.PR || d.Number <= 0 {
			continue
		}
		p := PullRequest{Number: d.Number, Title: escape(d.Title, maxMessage), Status: escape(d.Status, 20)}
		if ValidName(d.Author.Name) {
			p.Author = d.Author.Name
		}
		p.Created, _ = time.Parse(time.RFC3339, d.Date)
		if d.Pinned && page == 0 {
			pinned = append(pinned, p)
		} else {
			pulls = append(pulls, p)
		}
	}
	return pulls, pinned, len(w.List) > 0 && w.Start+len(w.List) < *w.Count, nil
}

// CreateBranch makes a branch of the repo that begins at a revision, "" for the
// default branch. A branch that exists is fs.ErrExist and stays as it is,
// whatever it is at; so is one that this very call has made, when its first
// answer was lost. The revision of repo does not matter.
func (c *Client) CreateBranch(ctx context.Context, repo Repo, branch, from string) error {
	if err := repo.check(); err != nil {
		return err
	}
	for _, rev := range []string{branch, from} {
		if rev != "" && !ValidRev(rev) {
			return &ParseError{Input: rev, Reason: "not a valid revision"}
		}
	}
	if branch == "" || IsCommit(branch) || strings.HasPrefix(branch, "refs/") {
		return &ParseError{Input: branch, Reason: "not the name of a branch"}
	}
	in := map[string]string{}
	if from != "" {
		in["startingPoint"] = from
	}
	body, size, err := jsonBody(in)
	if err != nil {
		return err
	}
	// A second one changes nothing: it is told that the branch exists.
	res, err := c.send(ctx, call{
		method: http.MethodPost, path: repo.apiRev("branch", branch), body: body, size: size,
		ctype: "application/json", accept: "application/json",
		policy: policy{repeat: repeatAlways, header: c.timeouts.Commit},
	})
	if err != nil {
		return fmt.Errorf("create the branch %s of %s: %w", branch, repo.Path(), err)
	}
	drain(res.Body)
	return nil
}
