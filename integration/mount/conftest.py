import os
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
