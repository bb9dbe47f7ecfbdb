"""Saving a model into a mount: what is staged, what the commit has, what the Hub's client gets back."""

import os

import support


def commits_of(hub, before):
    """POSTs that made a commit, since mark before."""
    return [r for r in hub.requests(before) if r["method"] == "POST" and "/commit/" in r["path"]]


def uploads_of(hub, before):
    return [r for r in hub.requests(before) if r["method"] == "PUT"]


def test_umount_makes_one_commit(mnt, repo, folder, scratch):
    saved = support.program("save", mnt.path / support.MODEL, mnt.path / repo, env=mnt.env)
    want, sizes = support.tree(mnt.path / repo), support.sizes(mnt.path / repo)
    assert sorted(want) == saved
    assert mnt.staged(repo) == saved
    api = mnt.hub.api()
    assert not api.repo_exists(repo), "nothing is on the Hub before the commit"

    before = mnt.hub.mark()
    mnt.umount()
    assert not mnt.mounted()
    assert len(commits_of(mnt.hub, before)) == 1
    assert len(mnt.hub.titles(repo)) == 2, "one commit besides the one that creates a repo"
    files = {f.path: f for f in api.list_repo_tree(repo, recursive=True)}
    assert sorted(set(files) - {".gitattributes"}) == saved, "no temporary name, nothing else"
    assert files["model.safetensors"].lfs.sha256 == want["model.safetensors"]
    assert {name: files[name].size for name in saved} == sizes
    local = api.snapshot_download(repo, local_dir=scratch / repo)
    assert support.tree(local).items() >= want.items()
    assert support.program("load", local, env=mnt.env) == support.program("load", folder, env=mnt.env)


def test_the_same_again_uploads_and_commits_nothing(mnt, repo):
    source = mnt.path / support.MODEL
    support.program("save", source, mnt.path / repo, env=mnt.env)
    mnt.sync(repo, "First")
    head = mnt.hub.api().model_info(repo).sha
    assert mnt.staged(repo) == []

    support.program("save", source, mnt.path / repo, env=mnt.env)
    before = mnt.hub.mark()
    out = mnt.sync(repo, "Again")
    assert uploads_of(mnt.hub, before) == [] and commits_of(mnt.hub, before) == [], out.stdout
    assert mnt.hub.api().model_info(repo).sha == head
    assert mnt.staged(repo) == []


def test_a_changed_file_is_the_only_upload(mnt, repo):
    support.program("save", mnt.path / support.MODEL, mnt.path / repo, env=mnt.env)
    out = mnt.sync(repo, "First")
    assert mnt.hub.api().model_info(repo).sha in out.stdout, "sync prints the commit"
    config = mnt.path / repo / "config.json"
    config.write_text(config.read_text().replace("384", "385"))
    before = mnt.hub.mark()
    mnt.sync(repo, "Second")
    assert uploads_of(mnt.hub, before) == [], "a small file travels in the commit itself"
    assert mnt.hub.titles(repo)[:2] == ["Second", "First"]
    assert "385" in config.read_text()


def test_what_was_written_is_warm(mnt, repo):
    support.program("save", mnt.path / support.MODEL, mnt.path / repo, env=mnt.env)
    mnt.sync(repo, "First")
    before = mnt.hub.mark()
    support.program("load", mnt.path / repo, env=mnt.env)
    # The listing of the new commit, and no content.
    assert [r["kind"] for r in mnt.hub.requests(before)] in ([], ["tree"])


def test_into_an_existing_repo(mnt, repo):
    api = mnt.hub.api()
    api.create_repo(repo)
    api.upload_file(path_or_fileobj=b"# Card\n", path_in_repo="README.md", repo_id=repo)
    api.upload_file(path_or_fileobj=b"old", path_in_repo="old.txt", repo_id=repo)
    there = mnt.path / repo
    (there / "README.md").write_text("# Better card\n")
    (there / "old.txt").rename(there / "new.txt")
    (there / "sub" / "deeper").mkdir(parents=True)
    (there / "sub" / "deeper" / "x.json").write_text("{}")
    before = len(mnt.hub.titles(repo))
    mnt.umount()
    assert len(mnt.hub.titles(repo)) == before + 1
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "README.md", "new.txt", "sub/deeper/x.json"]


def test_a_dataset_and_a_space(mnt, folder):
    for kind in ("dataset", "space"):
        name = f"{support.USER}/saved-{kind}"
        there = mnt.path / f"{kind}s" / name
        there.mkdir()
        (there / "README.md").write_text("---\nsdk: static\n---\n# Hello\n")
        (there / "index.html").write_text("<p>Hello</p>\n")
    mnt.umount()
    for kind in ("dataset", "space"):
        files = mnt.hub.api().list_repo_files(f"{support.USER}/saved-{kind}", repo_type=kind)
        assert sorted(set(files) - {".gitattributes"}) == ["README.md", "index.html"]


def test_an_empty_new_repo_is_not_created(mnt, repo):
    (mnt.path / repo).mkdir()
    mnt.umount()
    assert not mnt.hub.api().repo_exists(repo)


def test_a_new_repo_can_be_renamed_and_removed(mnt, repo):
    (mnt.path / repo).mkdir()
    (mnt.path / repo / "a.txt").write_text("a")
    renamed = mnt.path / f"{repo}-2"
    (mnt.path / repo).rename(renamed)
    assert (renamed / "a.txt").read_text() == "a"
    os.remove(renamed / "a.txt")
    renamed.rmdir()
    mnt.umount()
    api = mnt.hub.api()
    assert not api.repo_exists(repo) and not api.repo_exists(f"{repo}-2")
