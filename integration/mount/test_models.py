"""Done when the real libraries cannot tell a mount from a folder: with torch."""

import json
import sys

import pytest
import support

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def plain(folder, scratch):
    """Embeddings from the plain folder."""
    return support.program("embed", folder, env=support.base_env(scratch))


def test_cold_load_gives_the_same_embedding(new_mount, plain):
    """Each library on a cold cache of its own, then both on the warm one."""
    for kind in ("auto", "sentence"):
        m = new_mount()
        there = m.path / support.MODEL
        assert support.program("embed", there, kind, env=m.env)[kind] == plain[kind]
    before = m.hub.mark()
    assert support.program("embed", there, env=m.env) == plain
    assert m.hub.requests(before) == [], "a warm load makes no request"


def test_save_pretrained_becomes_one_commit(mnt, plain, scratch):
    repo = f"{support.USER}/new-model"
    saved = support.program("save_torch", mnt.path / support.MODEL, mnt.path / repo, env=mnt.env)
    want, sizes = support.tree(mnt.path / repo), support.sizes(mnt.path / repo)
    assert sorted(want) == saved
    assert not mnt.hub.api().repo_exists(repo), "nothing is on the Hub before the commit"
    mnt.umount()

    api = mnt.hub.api()
    assert len(mnt.hub.titles(repo)) == 2, "one commit besides the one that creates a repo"
    files = {f.path: f for f in api.list_repo_tree(repo, recursive=True) if f.path != ".gitattributes"}
    assert sorted(files) == saved, "no temporary name, nothing else"
    assert files["model.safetensors"].lfs.sha256 == want["model.safetensors"]
    assert {name: f.size for name, f in files.items()} == sizes

    local = api.snapshot_download(repo, local_dir=scratch / "snapshot")
    assert support.tree(local).items() >= want.items()
    assert support.program("embed", local, "auto", env=mnt.env)["auto"] == plain["auto"]

    # The same again: nothing to upload, nothing to commit.
    mnt.mount()
    head = api.model_info(repo).sha
    support.program("save_torch", mnt.path / support.MODEL, mnt.path / repo, env=mnt.env)
    before = mnt.hub.mark()
    mnt.sync(repo, "Again")
    assert not [r for r in mnt.hub.requests(before) if r["method"] == "PUT"]
    assert api.model_info(repo).sha == head
    assert mnt.staged(repo) == []
    mnt.umount()
    assert api.model_info(repo).sha == head


def test_hub_mixin_round_trip(mnt, new_mount):
    repo = f"{support.USER}/mixin"
    got = support.program("mixin", mnt.path / repo, env=mnt.env)
    assert (got["name"], got["width"], got["equal"]) == ("saved", 64, True)
    mnt.umount()
    files = mnt.hub.api().list_repo_files(repo)
    assert sorted(files) == [".gitattributes", "README.md", "config.json", "model.safetensors"]
    # Another machine loads what was committed.
    other = new_mount()
    code = (
        "import sys, torch; from safetensors.torch import load_file; "
        "print(__import__('json').dumps({k: v.numpy().tobytes().hex() for k, v in load_file(sys.argv[1]).items()}))"
    )
    p = support.run(sys.executable, "-c", code, other.path / repo / "model.safetensors", env=other.env, timeout=120)
    assert json.loads(p.stdout) == got["weights"]
