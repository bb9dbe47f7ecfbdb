import datetime

import pytest
from clientkit import Watch
from huggingface_hub import CommitOperationAdd, RepoFile, RepoFolder
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

FILES = ["a.txt", "d/1.txt", "d/2.txt", "d/e/3.txt", "d/e/f/4.bin", "sp ace/5 #%?.txt", "z.bin"]


@pytest.fixture(scope="module")
def full(hub):
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo("me/tree")
    api.create_commit("me/tree", [CommitOperationAdd(p, (b"\0" if p.endswith("bin") else b"") + p.encode()) for p in FILES], commit_message="all")
    return "me/tree"


def test_recursive_tree_in_pages(api, hub, full):
    with Watch(hub) as w:
        entries = list(api.list_repo_tree(full, recursive=True))
    assert w.kinds() == ["tree"] * 6
    assert sorted(e.path for e in entries if isinstance(e, RepoFile)) == sorted(FILES + [".gitattributes"])
    assert sorted(e.path for e in entries if isinstance(e, RepoFolder)) == ["d", "d/e", "d/e/f", "sp ace"]
    one = next(e for e in entries if e.path == "d/e/f/4.bin")
    assert one.size == 12 and one.lfs.size == 12 and one.last_commit is None


def test_one_directory(api, full):
    assert [e.path for e in api.list_repo_tree(full)] == ["d", "sp ace", ".gitattributes", "a.txt", "z.bin"]
    assert [e.path for e in api.list_repo_tree(full, "d")] == ["d/e", "d/1.txt", "d/2.txt"]
    assert [e.path for e in api.list_repo_tree(full, "d/e")] == ["d/e/f", "d/e/3.txt"]
    assert [e.path for e in api.list_repo_tree(full, "d/e", recursive=True)] == ["d/e/f", "d/e/3.txt", "d/e/f/4.bin"]
    assert [e.path for e in api.list_repo_tree(full, "sp ace")] == ["sp ace/5 #%?.txt"]


def test_expand(api, full):
    for e in api.list_repo_tree(full, recursive=True, expand=True):
        assert e.last_commit.title == ("initial commit" if e.path == ".gitattributes" else "all")
        assert isinstance(e.last_commit.date, datetime.datetime)


def test_what_is_missing(api, full):
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(full, "none"))
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(full, "a.txt"))
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(full, revision="none"))
    with pytest.raises(RepositoryNotFoundError):
        list(api.list_repo_tree("me/none"))


def test_paths_info(api, full):
    found = {e.path: e for e in api.get_paths_info(full, ["d", "z.bin", "none", "d/e/3.txt", "sp ace/5 #%?.txt"], expand=True)}
    assert set(found) == {"d", "z.bin", "d/e/3.txt", "sp ace/5 #%?.txt"}
    assert isinstance(found["d"], RepoFolder) and isinstance(found["z.bin"], RepoFile)
    assert found["z.bin"].last_commit.title == "all"
    assert api.get_paths_info(full, "none") == []


def test_commits_in_pages(api, hub, repo):
    for i in range(4):
        api.upload_file(path_or_fileobj=str(i).encode(), path_in_repo="a.txt", repo_id=repo, commit_message=f"number {i}", commit_description="<b>")
    with Watch(hub) as w:
        commits = api.list_repo_commits(repo, formatted=True)
    assert w.kinds() == ["commits"] * 3
    assert [c.title for c in commits] == ["number 3", "number 2", "number 1", "number 0", "initial commit"]
    assert commits[-1].authors == ["system"] and commits[0].formatted_title == "number 3"
    old = commits[2].commit_id
    assert [c.title for c in api.list_repo_commits(repo, revision=old)] == ["number 1", "number 0", "initial commit"]
