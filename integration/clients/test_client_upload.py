import io

import pytest
from clientkit import Watch, git_blob, noise, raw, sha256
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError


def read(api, repo, path, revision=None, repo_type=None):
    with open(api.hf_hub_download(repo, path, revision=revision, repo_type=repo_type), "rb") as f:
        return f.read()


def entry(api, repo, path):
    return api.get_paths_info(repo, path)[0]


def test_upload_file_regular(api, hub, repo):
    with Watch(hub) as w:
        done = api.upload_file(path_or_fileobj=b"hello", path_in_repo="a/b.txt", repo_id=repo, commit_message="one", commit_description="two")
    assert w.kinds() == ["preupload", "commit"]
    assert done.commit_url == f"{hub.endpoint}/{repo}/commit/{done.oid}"
    assert api.model_info(repo).sha == done.oid
    assert entry(api, repo, "a/b.txt").blob_id == git_blob(b"hello")
    assert entry(api, repo, "a/b.txt").lfs is None
    assert read(api, repo, "a/b.txt") == b"hello"
    newest = api.list_repo_commits(repo)[0]
    assert (newest.title, newest.message, newest.authors) == ("one", "two", ["me"])


def test_upload_file_large(api, hub, repo, tmp_path):
    data = noise(3_000_000)
    (tmp_path / "m.bin").write_bytes(data)
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=tmp_path / "m.bin", path_in_repo="m.bin", repo_id=repo)
    assert w.kinds() == ["preupload", "lfs-batch", "lfs-put", "verify", "commit"]
    e = entry(api, repo, "m.bin")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (sha256(data).encode(), len(data))
    assert e.size == len(data) and e.lfs.sha256 == sha256(data) and e.lfs.pointer_size == len(pointer)
    assert e.blob_id == git_blob(pointer)
    assert read(api, repo, "m.bin") == data
    assert raw(f"{hub.endpoint}/{repo}/raw/main/m.bin")[2] == pointer
    # The content is known: under another name it is not sent again.
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=io.BytesIO(data), path_in_repo="n.bin", repo_id=repo)
    assert w.kinds() == ["preupload", "lfs-batch", "commit"]


def test_upload_in_parts(another_hub):
    from huggingface_hub import HfApi

    hub = another_hub("--multipart", "1MB")
    api = HfApi(endpoint=hub.endpoint)
    api.create_repo("me/parts")
    data = noise(2_500_000)
    # The address in the environment is another Hub's; the client is told ours.
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=data, path_in_repo="m.bin", repo_id="me/parts")
    assert w.kinds() == ["preupload", "lfs-batch", "lfs-put", "lfs-put", "lfs-put", "lfs-complete", "verify", "commit"]
    assert api.get_paths_info("me/parts", "m.bin")[0].lfs.sha256 == sha256(data)


def test_large_text_is_tracked(api, repo):
    api.upload_file(path_or_fileobj=b"x" * 11_000_000, path_in_repo="big words.json", repo_id=repo)
    assert entry(api, repo, "big words.json").lfs.size == 11_000_000
    assert read(api, repo, ".gitattributes").decode().splitlines()[-1] == "big[[:space:]]words.json filter=lfs diff=lfs merge=lfs -text"


def test_empty_file(api, repo):
    api.upload_file(path_or_fileobj=b"", path_in_repo="empty.bin", repo_id=repo)
    assert entry(api, repo, "empty.bin").size == 0 and entry(api, repo, "empty.bin").lfs is None
    assert read(api, repo, "empty.bin") == b""


def test_unchanged_file_makes_no_commit(api, hub, repo):
    for data, path in ((b"hello", "a.txt"), (noise(1000), "m.bin")):
        first = api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo)
        with Watch(hub) as w:
            again = api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo)
        assert again.oid == first.oid
        assert "commit" not in w.kinds() and "lfs-put" not in w.kinds()


def test_readme_is_validated(api, hub, repo):
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=b"---\nlicense: mit\n---\n# hi\n", path_in_repo="README.md", repo_id=repo)
    assert w.kinds() == ["validate-yaml", "preupload", "commit"]
    with pytest.raises(ValueError, match="README"):
        api.upload_file(path_or_fileobj=b"---\nlicense: mit\n", path_in_repo="README.md", repo_id=repo)


@pytest.mark.parametrize("kind,extra", [("model", {}), ("dataset", {}), ("space", {"space_sdk": "static"})])
def test_upload_folder(api, hub, new_id, tmp_path, kind, extra):
    api.create_repo(new_id, repo_type=kind, **extra)
    files = {"a.txt": b"a", "sub/b.bin": noise(5000), "sub/deep/c.json": b"{}", "sub/é ü.txt": b"umlaut", ".git/config": b"no", "skip.log": b"no"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with Watch(hub) as w:
        api.upload_folder(repo_id=new_id, repo_type=kind, folder_path=tmp_path, path_in_repo="in", ignore_patterns="*.log")
    assert w.kinds().count("commit") == 1
    assert sorted(api.list_repo_files(new_id, repo_type=kind)) == sorted(
        [".gitattributes", "in/a.txt", "in/sub/b.bin", "in/sub/deep/c.json", "in/sub/é ü.txt"]
    )
    assert read(api, new_id, "in/sub/é ü.txt", repo_type=kind) == b"umlaut"
    assert read(api, new_id, "in/sub/b.bin", repo_type=kind) == files["sub/b.bin"]
    (tmp_path / "sub/b.bin").unlink()
    (tmp_path / "a.txt").write_bytes(b"aa")
    api.upload_folder(repo_id=new_id, repo_type=kind, folder_path=tmp_path, path_in_repo="in", ignore_patterns="*.log", delete_patterns="*")
    assert "in/sub/b.bin" not in api.list_repo_files(new_id, repo_type=kind)
    assert read(api, new_id, "in/a.txt", repo_type=kind) == b"aa"


def test_gitignore_is_honoured(api, repo):
    api.upload_file(path_or_fileobj=b"*.log\nbuild/\n", path_in_repo=".gitignore", repo_id=repo)
    adds = [CommitOperationAdd(p, b"x") for p in ("a.log", "build/b.txt", "c.txt")]
    api.create_commit(repo, adds, commit_message="some are ignored")
    assert api.list_repo_files(repo) == [".gitattributes", ".gitignore", "c.txt"]


def test_create_commit_with_every_operation(api, repo):
    large = noise(2000, seed=1)
    api.create_commit(
        repo,
        [CommitOperationAdd(p, d) for p, d in (("old.txt", b"old"), ("dir/x.txt", b"x"), ("dir/y.txt", b"y"), ("m.bin", large), ("t.txt", b"text"))],
        commit_message="base",
    )
    done = api.create_commit(
        repo,
        [
            CommitOperationDelete("old.txt"),
            CommitOperationDelete("dir/"),
            CommitOperationCopy("m.bin", "copies/m.bin"),
            CommitOperationCopy("t.txt", "copies/t.txt"),
            CommitOperationAdd("new/text.txt", b"new"),
            CommitOperationAdd("new/large.bin", io.BytesIO(noise(2000, seed=2))),
        ],
        commit_message="all",
    )
    assert api.list_repo_files(repo) == [
        ".gitattributes", "copies/m.bin", "copies/t.txt", "m.bin", "new/large.bin", "new/text.txt", "t.txt",
    ]
    assert entry(api, repo, "copies/m.bin").lfs.sha256 == sha256(large)
    assert entry(api, repo, "copies/t.txt").blob_id == git_blob(b"text")
    assert read(api, repo, "copies/m.bin", revision=done.oid) == large
    assert read(api, repo, "copies/t.txt") == b"text"


def test_copy_from_an_old_revision(api, repo):
    old = api.upload_file(path_or_fileobj=b"\0one", path_in_repo="m.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=b"\0two", path_in_repo="m.bin", repo_id=repo)
    api.create_commit(repo, [CommitOperationCopy("m.bin", "was.bin", src_revision=old.oid)], commit_message="back")
    assert read(api, repo, "was.bin") == b"\0one"


def test_delete_file_and_folder(api, repo):
    api.create_commit(repo, [CommitOperationAdd(p, b"x") for p in ("a.txt", "d/e/b.txt", "d/c.txt", "f.txt")], commit_message="base")
    api.delete_file("a.txt", repo)
    api.delete_folder("d", repo)
    api.delete_files(repo, ["f*"])
    assert api.list_repo_files(repo) == [".gitattributes"]
    with pytest.raises(EntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("a.txt", repo)
    with pytest.raises(EntryNotFoundError):
        api.delete_folder("d", repo)


def test_stale_parent(api, repo):
    base = api.model_info(repo).sha
    new = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo, parent_commit=base)
    with pytest.raises(HfHubHTTPError) as e:
        api.create_commit(repo, [CommitOperationAdd("b.txt", b"2"), CommitOperationAdd("m.bin", noise(100))], commit_message="late", parent_commit=base)
    assert e.value.response.status_code == 412
    assert "The branch was updated since you opened this page. Please refresh and try again." in str(e.value)
    assert api.model_info(repo).sha == new.oid
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt"]
    api.upload_file(path_or_fileobj=b"2", path_in_repo="b.txt", repo_id=repo, parent_commit=new.oid)


def test_refused_commits(api, other, anonymous, repo):
    with pytest.raises(HfHubHTTPError) as e:
        other.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo)
    assert e.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError) as e:
        anonymous.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo)
    assert e.value.response.status_code == 401
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo, revision="none")
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo + "-none")
    operation = CommitOperationAdd("fine", b"x")
    operation.path_in_repo = "..\\ddd"
    with pytest.raises(HfHubHTTPError) as e:
        api.create_commit(repo, [operation], commit_message="bad path")
    assert e.value.response.status_code == 422
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_super_squash_and_lfs_files(api, repo):
    for i in range(3):
        api.upload_file(path_or_fileobj=noise(100, seed=i), path_in_repo="m.bin", repo_id=repo)
    assert len(list(api.list_lfs_files(repo))) == 3
    api.super_squash_history(repo, commit_message="one for all")
    assert [c.title for c in api.list_repo_commits(repo)] == ["one for all"]
    assert read(api, repo, "m.bin") == noise(100, seed=2)
