import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

# Before huggingface_hub is imported anywhere in this process: it reads the
# environment once. The tests' Hub has no Xet storage.
_home = tempfile.mkdtemp(prefix="hubfs-home-")
for name in [n for n in os.environ if n.startswith(("HF_", "HUGGING"))]:
    del os.environ[name]
os.environ.update(HF_HOME=_home, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")

import support  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "models: needs torch and sentence-transformers")
    config.addinivalue_line("markers", "deep: has larger sizes in make test-deep and make test-long")


def pytest_unconfigure(config):
    shutil.rmtree(_home, ignore_errors=True)


def pytest_collection_modifyitems(items):
    if os.path.exists("/dev/fuse"):
        return
    if os.environ.get("CI"):
        pytest.exit("no /dev/fuse: no mount can be tested", returncode=1)
    for item in items:
        item.add_marker(pytest.mark.skip(reason="no /dev/fuse"))


@pytest.fixture(scope="session")
def folder():
    """The plain folder of the real model."""
    return support.model_folder()


@pytest.fixture(scope="session")
def scratch():
    """A folder on a real disk (tmp_path may lie deep: mount points are short here)."""
    path = Path(tempfile.mkdtemp(prefix="hubfs-it-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def hub(scratch, folder):
    """One Hub for all tests that only need repos of their own; it has the real model."""
    h = support.Hub(scratch / "hub", imports=[(support.MODEL, folder)])
    yield h
    h.stop()


@pytest.fixture
def own_hub(scratch):
    """A Hub that a test may stop and start."""
    base = Path(tempfile.mkdtemp(prefix="hub-", dir=scratch))
    h = support.Hub(base)
    yield h
    h.stop()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def new_mount(hub, scratch):
    """Makes mounts with cold caches; the test need not end them."""
    made = []

    def make(repo=None, on=None, start=True, **kw):
        base = Path(tempfile.mkdtemp(prefix="m-", dir=scratch))
        m = support.Mount(on or hub, base, repo, **kw)
        made.append(m)
        if start:
            m.mount()
        return m

    yield make
    for m in made:
        m.close()


@pytest.fixture
def mnt(new_mount):
    """The whole Hub, mounted with a cold cache."""
    return new_mount()


@pytest.fixture
def repo(request):
    """A repo name of the test's own."""
    return f"{support.USER}/{re.sub('[^a-z0-9]+', '-', request.node.name.lower()).strip('-')[:60].strip('-')}"


@pytest.fixture
def there(mnt, repo):
    """The folder of a new repo in the mount."""
    path = mnt.path / repo
    path.mkdir()
    return path


@pytest.fixture
def committed(mnt, repo, there):
    """Syncs, and holds what huggingface_hub then downloads against what the mount
    shows and against want, a plain folder, if given. Names that no commit has
    (.git) are left out. Returns the names."""

    def check(want=None):
        before = mnt.hub.mark()
        mnt.sync(repo)
        assert len([r for r in mnt.hub.requests(before) if "/commit/" in r["path"] and r["method"] == "POST"]) == 1
        got = mnt.hub.tree(repo)
        for folder in filter(None, (there, want)):
            assert got == {p: h for p, h in support.tree(folder).items() if ".git" not in p.split("/") and p != ".gitattributes"}
        return sorted(got)

    return check


@pytest.fixture
def proof(record_property, request):
    """Says what a test of many cases counted; the run's summary has it."""
    return lambda text: record_property("proof", f"{request.node.name}: {text}")
