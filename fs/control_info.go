package fs

import (
	"context"
	"slices"
)

// answerInfo answers .hubfs/info.
func (m *mount) answerInfo(ctx context.Context, request []byte, say func(any)) error {
	var req InfoRequest
	if err := decode(request, &req); err != nil {
		say(Info{Error: err.Error()})
		return nil
	}
	info, err := m.info(ctx, req.Path)
	if err != nil {
		info.Error = err.Error()
	}
	say(info)
	return nil
}

// info tells what is known of a path. It reads nothing of a file.
func (m *mount) info(ctx context.Context, p string) (Info, error) {
	info := Info{Path: p}
	rel, err := m.relative(p)
	if err != nil {
		return info, err
	}
	pl, err := m.locate(ctx, rel)
	if err != nil {
		return info, err
	}
	info.Kind = pl.kind
	if pl.work == nil {
		return info, nil
	}
	repo := pl.work.Repo()
	info.Repo, info.Revision, info.Commit = repo.Path(), repo.Branch(), pl.work.BaseCommit()
	switch n := pl.node; {
	case n.Dir != nil:
		return info, nil
	case n.File != nil:
		fi, err := n.File.Stat()
		if err != nil {
			return info, err
		}
		info.Staged, info.Size, info.Cached, info.Whole = true, fi.Size(), fi.Size(), true
		info.Busy = slices.Contains(pl.work.Status(ctx).Busy, pl.path)
		info.Passthrough = m.backings.state()
		return info, nil
	case n.Link != nil:
		info.Staged, info.Size, info.Cached, info.Whole = true, int64(len(n.Link.Target)), int64(len(n.Link.Target)), true
		return info, nil
	default:
		return m.blobInfo(ctx, pl, rel, info)
	}
}

func (m *mount) blobInfo(ctx context.Context, pl place, rel string, info Info) (Info, error) {
	e := pl.node.Entry
	info.Blob, info.Size = e.Blob.ID, e.Size
	blob, err := pl.work.Blob(ctx, e)
	if err != nil {
		return info, err
	}
	defer blob.Close()
	_, info.Whole = blob.File()
	info.Cached = blob.Cached()
	if info.Cached == 0 {
		// The listing of a gated repo is open: it is a read that was refused.
		info.Error = m.errors.of(rel)
	}
	info.Passthrough = m.backings.state()
	if info.Passthrough == "yes" && !info.Whole {
		info.Passthrough = "not before all of it is cached"
	}
	return info, nil
}
