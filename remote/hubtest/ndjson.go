package hubtest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// The Hub's limits of one commit; quirks make them smaller.
const (
	maxLFSFiles = 25_000
	maxRegular  = 1e9 // bytes of regular content in all
)

var parentID = regexp.MustCompile(`^[A-Fa-f0-9]{5,64}$`)

// order is a commit as it came over the wire, its content already stored.
type order struct {
	summary, description, parent string
	changes                      []change
	readme                       string // text of README.md, if it is added
	hasReadme                    bool
	large                        int
	regular                      int64
}

// order reads the NDJSON body: the header first, then one line per change.
func (c *call) order(r *Repo) (*order, error) {
	if t := c.r.Header.Get("Content-Type"); !strings.Contains(t, "ndjson") {
		return nil, badRequest("Content-Type must be application/x-ndjson")
	}
	in := bufio.NewReaderSize(c.r.Body, 64<<10)
	o := &order{}
	for n := 0; ; n++ {
		line, err := readLine(in, c.hub.opt.MaxRegular*4/3+64<<10)
		if err == io.EOF {
			if n == 0 {
				return nil, badRequest("Empty commit request")
			}
			return o, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			n--
			continue
		}
		if err := o.line(c, r, n, line); err != nil {
			return nil, err
		}
	}
}

// readLine reads one line, or what stands before the end; none is io.EOF.
func readLine(in *bufio.Reader, most int64) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if int64(len(line)) > most {
			return nil, tooLarge("Your push was rejected because it contains files larger than 10 MiB. Please use https://git-lfs.github.com/ to store large files.")
		}
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(line) > 0:
			return line, nil
		case err == io.EOF:
			return nil, io.EOF
		default:
			// A cut-off body must never become a commit.
			return nil, badRequest("Unreadable body: " + err.Error())
		}
	}
}

func (o *order) line(c *call, r *Repo, n int, line []byte) error {
	var l struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return badRequest("Invalid line: " + err.Error())
	}
	if (n == 0) != (l.Key == "header") {
		return badRequest("The first line, and only it, must be the header")
	}
	var v struct {
		Summary, Description string
		ParentCommit         *string
		Content, Encoding    string
		Path, OldPath        string
		Algo, OID            string
		Size                 *int64
	}
	if err := json.Unmarshal(l.Value, &v); err != nil {
		return badRequest("Invalid " + l.Key + ": " + err.Error())
	}
	switch l.Key {
	case "header":
		if v.Summary == "" {
			return badRequest("\"value.summary\" is not allowed to be empty")
		}
		o.summary, o.description = v.Summary, v.Description
		if v.ParentCommit != nil {
			if o.parent = *v.ParentCommit; !parentID.MatchString(o.parent) {
				return badRequest("Invalid parentCommit: " + o.parent)
			}
		}
		return nil
	case "deletedFile", "deletedFolder":
		dir := l.Key == "deletedFolder"
		if dir {
			v.Path = strings.TrimSuffix(v.Path, "/")
		}
		o.changes = append(o.changes, change{path: v.Path, del: true, dir: dir})
		return validPath(v.Path)
	case "file", "lfsFile":
	default:
		return badRequest("Unknown line: " + l.Key)
	}
	if err := validPath(v.Path); err != nil {
		return err
	}
	ch := change{path: v.Path, from: v.OldPath}
	if l.Key == "lfsFile" {
		if v.Algo != "" && v.Algo != "sha256" || !isHex(v.OID, 64) {
			return badRequest("Invalid oid or algo of " + v.Path)
		}
		most := maxLFSFiles
		if q := c.hub.quirks.Load().CommitLFS; q > 0 {
			most = q
		}
		if o.large++; o.large > most {
			return badRequest("Too many LFS files in one commit: " + itoa(int64(most)) + " is the limit")
		}
		f, err := o.largeLine(c, r, v.Path, v.OID, v.Size)
		if err != nil {
			return err
		}
		ch.file = &f
	} else if v.OldPath == "" || v.Content != "" {
		f, err := o.regularLine(c, v.Path, v.Content, v.Encoding)
		if err != nil {
			return err
		}
		ch.file = &f
	}
	o.changes = append(o.changes, ch)
	return nil
}

// largeLine is an lfsFile; a copy of one in the repo comes without size.
func (o *order) largeLine(c *call, r *Repo, path, oid string, size *int64) (file, error) {
	stored, err := c.hub.store.largeSize(oid)
	if err != nil || !r.owns(oid) {
		return file{}, badRequest("Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, this can happen if you used git push --no-verify to push your changes. Offending file: - " + path)
	}
	if size != nil && *size != stored {
		return file{}, badRequest("Size of " + path + " is not that of its LFS object")
	}
	return largeFile(oid, stored), nil
}

func (o *order) regularLine(c *call, path, content, encoding string) (file, error) {
	b := []byte(content)
	switch encoding {
	case "base64":
		var err error
		if b, err = base64.StdEncoding.DecodeString(content); err != nil {
			return file{}, badRequest("Invalid base64 content of " + path)
		}
	case "utf-8", "":
	default:
		return file{}, badRequest("Unknown encoding: " + encoding)
	}
	if int64(len(b)) > c.hub.opt.MaxRegular {
		return file{}, badRequest("Your push was rejected because it contains files larger than 10 MiB. Please use https://git-lfs.github.com/ to store large files. Offending files: - " + path)
	}
	most := int64(maxRegular)
	if q := c.hub.quirks.Load().CommitPayload; q > 0 {
		most = q
	}
	if o.regular += int64(len(b)); o.regular > most {
		return file{}, tooLarge("Payload too large: " + itoa(most) + " bytes of regular content is the limit of one commit")
	}
	if path == "README.md" {
		o.readme, o.hasReadme = string(b), true
	}
	return c.hub.store.putRegular(b)
}

// commit is POST …/commit/REV.
func (c *call) commit(r *Repo, s *state, rev string) error {
	pr := c.flag("create_pr")
	if pr {
		if err := c.who.mayPropose(s); err != nil {
			return err
		}
	} else if err := c.mayPush(s, rev); err != nil {
		return err
	}
	o, err := c.order(r)
	if err != nil {
		return err
	}
	if o.hasReadme {
		if errs, _ := checkCard(o.readme); len(errs) > 0 {
			return badRequest("Invalid metadata in README.md. - " + errs[0])
		}
	}
	p := proposal{title: o.summary, description: o.description, author: c.who.name, parent: o.parent, changes: o.changes}
	answer := map[string]any{"success": true, "hookOutput": ""}
	var made Commit
	if pr {
		var num int
		made, num, err = r.pushPR(rev, p)
		answer["pullRequestUrl"] = c.page(s) + "/discussions/" + itoa(int64(num))
	} else {
		made, err = r.push(rev, p)
	}
	if err != nil {
		return err
	}
	answer["commitOid"] = made.ID
	answer["commitUrl"] = c.page(s) + "/commit/" + made.ID
	c.w.Header().Set("X-Repo-Commit", made.ID)
	return c.json(http.StatusOK, answer)
}

// page is the web address of a repo.
func (c *call) page(s *state) string { return endpointFor(c.r) + "/" + webPrefix(s.Type) + s.ID }

// mayPush: writers to anything, authors to their pull requests.
func (c *call) mayPush(s *state, rev string) error {
	err := c.who.mayWrite(s.namespace())
	if err == nil || c.who == nil {
		return err
	}
	for _, t := range s.Talks {
		if t.PR && rev == "refs/pr/"+itoa(int64(t.Num)) && t.Author == c.who.name && c.who.TokenRole != "read" {
			return nil
		}
	}
	return err
}
