import pytest
from clientkit import Watch, noise
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem

BIG = noise(200_000)
DATA = {"a.txt": b"hello\nworld\n", "d/b.bin": BIG, "d/e/c.json": b"{}", "d/e/d.txt": b"d"}


@pytest.fixture(scope="module")
def full(hub):
    api = HfApi()
    api.create_repo("me/fs")
    api.create_commit("me/fs", [CommitOperationAdd(p, d) for p, d in DATA.items()], commit_message="files")
    return "me/fs"


@pytest.fixture
def fs(hub):
    return HfFileSystem(skip_instance_cache=True)


def test_ls(fs, full):
    assert sorted(fs.ls(full, detail=False)) == [f"{full}/.gitattributes", f"{full}/a.txt", f"{full}/d"]
    found = {e["name"]: e for e in fs.ls(f"{full}/d")}
    assert found[f"{full}/d/b.bin"]["size"] == len(BIG) and found[f"{full}/d/e"]["type"] == "directory"
    assert [e["name"] for e in fs.ls(f"{full}/a.txt")] == [f"{full}/a.txt"]
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{full}/none")
    with pytest.raises(FileNotFoundError):
        fs.ls("me/none")
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{full}@none")


def test_find_and_glob(fs, full):
    everything = sorted(f"{full}/{p}" for p in [*DATA, ".gitattributes"])
    assert fs.find(full) == everything
    assert fs.find(f"{full}@main/d", maxdepth=1) == [f"{full}@main/d/b.bin"]
    assert fs.glob(f"{full}/d/**/*.json") == [f"{full}/d/e/c.json"]
    assert [(r, sorted(d), sorted(f)) for r, d, f in fs.walk(f"{full}/d")] == [
        (f"{full}/d", ["e"], ["b.bin"]),
        (f"{full}/d/e", [], ["c.json", "d.txt"]),
    ]
    assert fs.du(full) == sum(map(len, DATA.values())) + fs.info(f"{full}/.gitattributes")["size"]


def test_info(fs, full):
    assert fs.isdir(full) and fs.isdir(f"{full}/d/e") and fs.isfile(f"{full}/a.txt") and not fs.exists(f"{full}/none")
    info = fs.info(f"{full}/d/b.bin", expand_info=True)
    assert info["size"] == len(BIG) and info["last_commit"].title == "files"
    assert fs.modified(f"{full}/a.txt") == info["last_commit"].date
    assert fs.modified(full) is not None
    assert fs.info("me/fs/d")["type"] == "directory"


def test_read(fs, hub, full):
    assert fs.cat(f"{full}/a.txt") == DATA["a.txt"]
    assert fs.cat_file(f"{full}/d/b.bin", start=1000, end=2000) == BIG[1000:2000]
    with fs.open(f"{full}/a.txt", "r") as f:
        assert f.readlines() == ["hello\n", "world\n"]
    with Watch(hub) as w:
        with fs.open(f"{full}/d/b.bin", "rb", block_size=4096) as f:
            f.seek(100_000)
            assert f.read(5000) == BIG[100_000:105_000]
            f.seek(-10, 2)
            assert f.read() == BIG[-10:]
            assert f.read() == b""
    parts = [r for r in w.requests if r["origin"] == "cdn"]
    assert parts and all(r["status"] == 206 and r["bytes"] < 20_000 for r in parts)
    with fs.open(f"{full}/d/b.bin", "rb", block_size=0) as f:
        assert f.read(10) + f.read() == BIG


def test_get(fs, full, tmp_path):
    fs.get(f"{full}/d", str(tmp_path / "d"), recursive=True)
    assert (tmp_path / "d/b.bin").read_bytes() == BIG and (tmp_path / "d/e/c.json").read_bytes() == b"{}"


def test_write(fs, api, repo):
    with fs.open(f"{repo}/new/a.txt", "w") as f:
        f.write("hello")
    with fs.open(f"{repo}/new/b.bin", "wb") as f:
        f.write(BIG[:1000])
    assert fs.cat(f"{repo}/new/a.txt") == b"hello" and fs.cat(f"{repo}/new/b.bin") == BIG[:1000]
    fs.cp_file(f"{repo}/new/b.bin", f"{repo}/copy.bin")
    fs.mv(f"{repo}/new/a.txt", f"{repo}/moved.txt")
    assert api.list_repo_files(repo) == [".gitattributes", "copy.bin", "moved.txt", "new/b.bin"]
    fs.rm(f"{repo}/new", recursive=True)
    fs.rm(f"{repo}/copy.bin")
    assert fs.find(repo) == [f"{repo}/.gitattributes", f"{repo}/moved.txt"]


def test_revisions_and_kinds(fs, api, repo):
    api.create_branch(repo, branch="feature/one")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=repo, revision="feature/one")
    assert fs.cat(f"{repo}@feature%2Fone/x.txt") == b"x"
    assert not fs.exists(f"{repo}/x.txt")
    api.create_repo(repo, repo_type="dataset")
    fs.pipe_file(f"datasets/{repo}/x.txt", b"data")
    assert fs.ls(f"hf://datasets/{repo}", detail=False, refresh=True)[-1] == f"datasets/{repo}/x.txt"
