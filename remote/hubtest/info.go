package hubtest

import (
	"net/http"
	"slices"
	"strings"
)

// infoFields are what expand may ask for.
var infoFields = []string{
	"author", "baseModels", "cardData", "childrenModelCount", "citation", "config", "createdAt", "datasets",
	"description", "disabled", "downloads", "downloadsAllTime", "evalResults", "gated", "gguf", "inference",
	"inferenceProviderMapping", "lastModified", "library_name", "likes", "mainSize", "mask_token", "model-index",
	"models", "paperswithcode_id", "pipeline_tag", "private", "resourceGroup", "runtime", "safetensors", "sdk",
	"sha", "siblings", "spaces", "subdomain", "tags", "transformersInfo", "trendingScore", "usedStorage", "widgetData", "xetEnabled",
}

// info is GET /api/TYPES/ID[/revision/REV]; rev "" is the default branch.
func (c *call) info(r *Repo, s *state, rev string) error {
	q := c.r.URL.Query()
	expand := slices.Concat(q["expand"], q["expand[]"])
	for _, f := range expand {
		if !slices.Contains(infoFields, f) {
			return badRequest("\"expand\" must be one of " + strings.Join(infoFields, ", "))
		}
	}
	var at *Commit
	if rev != "" || len(s.Branches) > 0 {
		commit, err := r.resolve(s, orMain(rev))
		if err != nil {
			return err
		}
		at = &commit
		c.w.Header().Set("X-Repo-Commit", commit.ID)
	}
	info := c.summary(s)
	if at != nil {
		info["sha"] = at.ID
		info["lastModified"] = stamp(at.Date)
		siblings, used, err := c.siblings(r, at, c.flag("blobs"))
		if err != nil {
			return err
		}
		info["siblings"], info["usedStorage"] = siblings, used
	}
	if len(expand) > 0 {
		for k := range info {
			if k != "id" && k != "_id" && !slices.Contains(expand, k) {
				delete(info, k)
			}
		}
	}
	return c.json(http.StatusOK, info)
}

// summary is what a listing of repos says of s.
func (c *call) summary(s *state) map[string]any {
	var g any = false
	if s.Gated != "" {
		g = s.Gated
	}
	info := map[string]any{
		"_id": gitHash(s.Type, []byte(s.ID))[:24], "id": s.ID, "author": s.namespace(), "private": s.Private,
		"gated": g, "disabled": s.Disabled, "discussionsDisabled": s.Silent, "downloads": 0, "likes": 0, "tags": []string{"region:us"},
		"createdAt": stamp(s.Created), "lastModified": stamp(s.Created), "siblings": []any{}, "usedStorage": 0,
	}
	switch s.Type {
	case "model":
		info["modelId"] = s.ID
	case "space":
		info["sdk"] = s.SDK
		info["subdomain"] = strings.ReplaceAll(s.ID, "/", "-")
		info["host"] = ""
		info["runtime"] = map[string]any{"stage": "RUNNING", "hardware": map[string]any{}, "storage": nil}
	}
	return info
}

func (c *call) siblings(r *Repo, at *Commit, blobs bool) (list []map[string]any, used int64, err error) {
	list = []map[string]any{}
	flat, err := c.hub.store.flatten(at.Tree)
	for _, e := range flat {
		if e.Dir {
			continue
		}
		used += e.Size
		f := map[string]any{"rfilename": e.Path}
		if blobs {
			f["size"], f["blobId"] = e.Size, e.OID
			if e.LFS != "" {
				f["lfs"] = map[string]any{"sha256": e.LFS, "size": e.Size, "pointerSize": e.PointerSize}
			}
		}
		list = append(list, f)
	}
	return list, used, err
}
