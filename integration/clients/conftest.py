import itertools
import os
import shutil

import clientkit
import pytest

# huggingface_hub reads its environment once, when it is first imported: the
# Hub runs and the environment is set before any test module is collected. The
# Hub has no Xet storage.
_scratch = clientkit.folder()
for _name in [n for n in os.environ if n.startswith(("HF_", "HUGGING", "TRANSFORMERS"))]:
    del os.environ[_name]
os.environ.update(
    HF_HOME=str(_scratch / "hf"),
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_TOKEN=clientkit.TOKEN,
)
_command = clientkit.binary(_scratch)
_hub = clientkit.Hub(_command, _scratch / "hub")
os.environ["HF_ENDPOINT"] = _hub.endpoint
_numbers = itertools.count(1)


def pytest_configure(config):
    # huggingface_hub's own use of its HTTP library.
    config.addinivalue_line("filterwarnings", "ignore:Use 'content=:DeprecationWarning")


def pytest_unconfigure(config):
    _hub.stop()
    shutil.rmtree(_scratch, ignore_errors=True)


@pytest.fixture(scope="session")
def hub():
    """The Hub of HF_ENDPOINT. No token ever reached its content origin."""
    yield _hub
    if _hub.log.exists():
        assert [r for r in _hub.requests() if r["origin"] == "cdn" and r["status"] == 400] == []


@pytest.fixture
def another_hub(tmp_path):
    """another_hub(*flags): one more Hub, gone at the end of the test."""
    started = []

    def start(*flags):
        started.append(clientkit.Hub(_command, tmp_path / f"hub{len(started)}", *flags))
        return started[-1]

    yield start
    for h in started:
        h.stop()


@pytest.fixture
def api(hub):
    from huggingface_hub import HfApi

    return HfApi()


@pytest.fixture
def other(hub):
    """The API for somebody else."""
    from huggingface_hub import HfApi

    return HfApi(token=clientkit.OTHER_TOKEN)


@pytest.fixture
def anonymous(hub):
    from huggingface_hub import HfApi

    return HfApi(token=False)


@pytest.fixture
def new_id(hub):
    """A repo id that nobody has."""
    return f"{clientkit.USER}/repo-{next(_numbers)}"


@pytest.fixture
def repo(api, new_id):
    """A model repo with its initial commit."""
    api.create_repo(new_id)
    return new_id
