"""Files that somebody still writes: a commit never takes half of one."""

import mmap
import os

import pytest
import support


@pytest.fixture
def repo(mnt, request):
    name = f"{support.USER}/{request.node.name.replace('_', '-')[:60]}"
    (mnt.path / name).mkdir()
    (mnt.path / name / "done.txt").write_text("done")
    return name


def committed(mnt, repo):
    api = mnt.hub.api()
    return sorted(set(api.list_repo_files(repo)) - {".gitattributes"}) if api.repo_exists(repo) else []


def test_an_open_file_waits(mnt, repo):
    with open(mnt.path / repo / "open.txt", "w") as f:
        f.write("half")
        f.flush()
        p = mnt.sync(repo, "What is done", check=False)
        assert p.returncode == support.BUSY, p.stdout + p.stderr
        assert "open.txt" in p.stdout + p.stderr
        assert committed(mnt, repo) == ["done.txt"]
        assert mnt.worktree(repo)["busy"] == ["open.txt"]

        p = mnt.umount(check=False)
        assert p.returncode == support.BUSY and mnt.mounted(), p.stdout + p.stderr
        f.write(", whole")
    mnt.sync(repo, "The rest")
    assert committed(mnt, repo) == ["done.txt", "open.txt"]
    assert (mnt.path / repo / "open.txt").read_text() == "half, whole"
    mnt.umount()


def test_a_map_outlives_its_descriptor(mnt, repo):
    """After mmap and close the kernel has sent RELEASE, and stores still land in the file."""
    path = mnt.path / repo / "map.bin"
    path.write_bytes(bytes(8192))
    fd = os.open(path, os.O_RDWR)
    view = mmap.mmap(fd, 8192)
    os.close(fd)
    view[0:5] = b"first"
    p = mnt.sync(repo, check=False)
    assert p.returncode == support.BUSY, p.stdout + p.stderr
    view[4096:4100] = b"last"
    view.close()
    mnt.sync(repo)
    assert committed(mnt, repo) == ["done.txt", "map.bin"]
    got = mnt.hub.api().hf_hub_download(repo, "map.bin", local_dir=mnt.base / "down")
    with open(got, "rb") as f:
        assert f.read() == b"first".ljust(4096, b"\0") + b"last".ljust(4096, b"\0")


def test_readers_do_not_make_a_file_busy(mnt, repo):
    path = mnt.path / repo / "done.txt"
    with open(path) as f:
        mnt.sync(repo)
        assert f.read() == "done"
        path.write_text("changed")
        f.seek(0)
        assert f.read() == "done", "who has the committed file open keeps its bytes"
        assert path.read_text() == "changed"


def test_rewritten_while_it_is_committed_stays_staged(mnt, repo):
    """After a sync, a new write starts a new file: the committed bytes do not change under the cache."""
    path = mnt.path / repo / "done.txt"
    mnt.sync(repo)
    with open(path, "r+") as f:
        f.write("DO")
    assert path.read_text() == "DOne"
    assert mnt.staged(repo) == ["done.txt"]
    # Another mount sees what was committed.
    got = mnt.hub.api().hf_hub_download(repo, "done.txt", local_dir=mnt.base / "down")
    with open(got) as f:
        assert f.read() == "done"
    mnt.sync(repo)
    assert mnt.staged(repo) == [] and path.read_text() == "DOne"
