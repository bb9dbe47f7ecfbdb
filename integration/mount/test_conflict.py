"""The branch moves under a mount: conflicts name the path and lose neither side."""

import support


def seeded(hub, repo):
    api = hub.api()
    api.create_repo(repo)
    for name, text in (("a.txt", "base a"), ("b.txt", "base b")):
        api.upload_file(path_or_fileobj=text.encode(), path_in_repo=name, repo_id=repo)
    return api


def read(api, repo, name, tmp_path):
    from pathlib import Path

    return Path(api.hf_hub_download(repo, name, cache_dir=tmp_path / "hf-cache")).read_text()


def test_both_sides_edit_one_file(mnt, tmp_path):
    repo = f"{support.USER}/conflict"
    api = seeded(mnt.hub, repo)
    here = mnt.path / repo
    (here / "a.txt").write_text("mine")
    (here / "c.txt").write_text("mine too")
    api.upload_file(path_or_fileobj=b"theirs", path_in_repo="a.txt", repo_id=repo)
    head = api.model_info(repo).sha

    p = mnt.sync(repo, "Mine", check=False)
    assert p.returncode == support.CONFLICT, p.stdout + p.stderr
    assert "a.txt" in p.stdout + p.stderr
    assert "c.txt" not in mnt.worktree(repo)["conflicts"]
    assert mnt.worktree(repo)["conflicts"] == ["a.txt"]
    # Neither is lost.
    assert api.model_info(repo).sha == head and read(api, repo, "a.txt", tmp_path) == "theirs"
    assert (here / "a.txt").read_text() == "mine" and mnt.staged(repo) == ["a.txt", "c.txt"]

    # umount does not drop them either: the mount stays.
    p = mnt.umount(check=False)
    assert p.returncode == support.CONFLICT, p.stdout + p.stderr
    assert mnt.mounted()
    assert "--force" in p.stdout + p.stderr, "the message says what to do"
    mnt.umount("--force")
    assert api.model_info(repo).sha == head
    mnt.mount()
    assert (here / "a.txt").read_text() == "mine" and mnt.staged(repo) == ["a.txt", "c.txt"]


def test_the_other_side_edits_another_file(mnt, tmp_path):
    """No conflict: the commit goes on top of theirs, and the mount then shows both."""
    repo = f"{support.USER}/no-conflict"
    api = seeded(mnt.hub, repo)
    here = mnt.path / repo
    (here / "a.txt").write_text("mine")
    assert (here / "b.txt").read_text() == "base b"
    api.upload_file(path_or_fileobj=b"theirs", path_in_repo="b.txt", repo_id=repo, commit_message="Theirs")
    mnt.sync(repo, "Mine")
    assert mnt.hub.titles(repo)[:2] == ["Mine", "Theirs"]
    assert read(api, repo, "a.txt", tmp_path) == "mine" and read(api, repo, "b.txt", tmp_path) == "theirs"
    support.wait_for("their edit in the mount", lambda: (here / "b.txt").read_text() == "theirs")
    assert (here / "a.txt").read_text() == "mine"


def test_the_other_side_deletes_what_is_edited(mnt):
    repo = f"{support.USER}/delete-conflict"
    api = seeded(mnt.hub, repo)
    (mnt.path / repo / "a.txt").write_text("mine")
    api.delete_file("a.txt", repo)
    p = mnt.sync(repo, "Mine", check=False)
    assert p.returncode == support.CONFLICT and "a.txt" in p.stdout + p.stderr
    assert (mnt.path / repo / "a.txt").read_text() == "mine"
