"""kill -9 of the daemon: everything that was written is there at the next mount, and becomes one commit."""

import os
import subprocess
import sys

import pytest
import support

REPO = "datasets/" + support.USER + "/crash"


@pytest.fixture
def results(tmp_path):
    """A folder such as people copy: many small files, one large, nested."""
    folder = tmp_path / "results"
    for i in range(120):
        p = folder / f"run-{i % 7}" / f"{i}.json"
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(f'{{"i": {i}}}\n' * (i + 1))
    (folder / "weights.safetensors").write_bytes(os.urandom(20 << 20))
    (folder / "empty").write_bytes(b"")
    return folder


def test_all_copied_is_staged_and_becomes_one_commit(own_hub, new_mount, results):
    m = new_mount(on=own_hub)
    support.run("cp", "-r", results, m.path / REPO)
    want = support.tree(results)
    m.kill()
    m.mount()  # cleans the stale mount up
    assert m.staged(REPO) == sorted(want)
    assert support.tree(m.path / REPO) == want
    before = own_hub.mark()
    m.sync(REPO, "After the crash")
    posts = [r for r in own_hub.requests(before) if r["method"] == "POST" and "/commit/" in r["path"]]
    assert len(posts) == 1
    api = own_hub.api()
    name = REPO.removeprefix("datasets/")
    assert own_hub.titles(name, repo_type="dataset")[0] == "After the crash"
    assert sorted(set(api.list_repo_files(name, repo_type="dataset")) - {".gitattributes"}) == sorted(want)
    local = api.snapshot_download(name, repo_type="dataset", local_dir=m.base / "down")
    assert support.tree(local).items() >= want.items()
    assert m.staged(REPO) == []


def test_recovery_needs_no_hub(own_hub, new_mount, results):
    """The Hub is away when the daemon comes back: what was staged in a new repo can still be read."""
    m = new_mount(on=own_hub)
    support.run("cp", "-r", results, m.path / REPO)
    m.kill()
    own_hub.stop()
    try:
        m.mount(check=False)
        if not m.mounted() or not (m.path / ".hubfs").exists():
            pytest.fail("no mount without the Hub, so staged work cannot be reached")
        assert support.tree(m.path / REPO) == support.tree(results)
    finally:
        own_hub.start(own_hub.endpoint.removeprefix("http://"))


def test_a_writer_that_outlives_the_daemon_is_busy(own_hub, new_mount):
    """Its descriptor goes on writing the staged file itself: no commit may take half a file."""
    m = new_mount(on=own_hub)
    repo = m.path / REPO
    repo.mkdir()
    (repo / "done.txt").write_text("done")
    code = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "os.write(fd, b'half')\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(repo / "half.bin")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "ready\n"
        m.kill()
        m.mount()
        m.sync(REPO, "What is done", check=False)
        files = own_hub.api().list_repo_files(REPO.removeprefix("datasets/"), repo_type="dataset")
        assert "done.txt" in files
        if passthrough(m):
            assert "half.bin" not in files
            assert m.staged(REPO) == ["half.bin"]
    finally:
        writer.communicate("\n", timeout=20)
    m.sync(REPO, "And the rest")
    files = own_hub.api().list_repo_files(REPO.removeprefix("datasets/"), repo_type="dataset")
    assert "half.bin" in files


def passthrough(m):
    return str(m.status().get("passthrough", "")).startswith(("yes", "on", "true", "True"))


def test_kill_while_copying(own_hub, new_mount, tmp_path):
    """What the copier had finished is whole, the file under way may be short; nothing else appears."""
    source = tmp_path / "many"
    source.mkdir()
    for i in range(3000):
        (source / f"{i:04}.txt").write_text(f"content of {i}\n" * 20)
    m = new_mount(on=own_hub)
    (m.path / REPO).mkdir()
    copier = subprocess.Popen(["cp", "-rv", str(source), str(m.path / REPO / "many")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    finished = []
    for line in copier.stdout:
        finished.append(line.split("'")[1] if "'" in line else "")
        if len(finished) == 800:
            m.kill()
            break
    copier.communicate(timeout=60)
    m.mount()
    have = support.tree(m.path / REPO / "many")
    want = support.tree(source)
    # cp -v names a file before it copies it, so the last one named may be half done.
    done = [os.path.basename(p) for p in finished[:-1] if p.endswith(".txt")]
    assert len(done) > 700
    assert [n for n in done if have.get(n) != want[n]] == []
    assert set(have) <= set(want)
    m.sync(REPO)
    files = own_hub.api().list_repo_files(REPO.removeprefix("datasets/"), repo_type="dataset")
    assert {f"many/{n}" for n in done} <= set(files)
