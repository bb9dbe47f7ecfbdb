package commit

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/hubfs/hubfs/remote"
)

const cardName = "README.md"

// addCard stages a model card for a new model repo that has none, if that was
// asked for and there is anything else to be committed.
func (c *committing) addCard(ctx context.Context) (bool, error) {
	w := c.w
	if !c.o.ModelCard || !w.New() || c.repo.Type != remote.Model || len(c.p.items) == 0 {
		return false, nil
	}
	f, g, err := w.root.CreateOpen(ctx, cardName, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = f.st.disk.writeAt(g, []byte(cardText(c.repo)), 0)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return false, errors.Join(err, w.root.Unlink(ctx, cardName)) // no half of one
	}
	w.tell([]Change{{Dir: w.root, Name: cardName}})
	return true, nil
}

// cardText is what the Hub takes as a card, with the fields that people fill in
// first.
func cardText(repo remote.Repo) string {
	return `---
# The fields of a model card: https://huggingface.co/docs/hub/model-cards
tags: []
---

# ` + path.Base(repo.ID) + `

`
}

// checkCard asks the Hub whether it takes the metadata of a README.md before
// anything is uploaded: it would refuse the commit.
func (c *committing) checkCard(ctx context.Context) error {
	for _, it := range c.p.items {
		if it.path != cardName || it.same {
			continue
		}
		var text []byte
		var err error
		if it.file != nil {
			text, _, err = it.file.text()
		} else {
			text, err = c.w.text(ctx, it.from)
		}
		if err != nil || text == nil { // too large for a card that anybody reads
			return err
		}
		warnings, err := c.w.s.o.Client.ValidateCard(ctx, c.repo.Type, string(text))
		c.warnings = append(c.warnings, warnings...)
		return err
	}
	return nil
}
