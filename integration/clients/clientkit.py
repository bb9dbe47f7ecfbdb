"""`hubfs hub` in a process of its own, for the real huggingface_hub to talk to."""

import hashlib
import json
import os
import re
import subprocess
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USER, TOKEN = "me", "hf_token_of_me"
OTHER, OTHER_TOKEN = "other", "hf_token_of_other"
ORG = "acme"


def binary(into):
    """The command under test: HUBFS_BIN, else built from this tree."""
    if path := os.environ.get("HUBFS_BIN"):
        return Path(path).resolve()
    path = Path(into) / "hubfs"
    subprocess.run(["go", "build", "-o", path, "./cmd/hubfs"], cwd=ROOT, check=True)
    return path


class Hub:
    """A running Hub. Listings come in pages of two, so that every client pages."""

    def __init__(self, command, folder, *flags):
        self.command, self.folder, self.flags = command, Path(folder), flags
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "access.log"
        self.process = None
        self.start("127.0.0.1:0")

    def start(self, listen):
        args = [
            self.command, "hub", "--listen", listen, "--dir", self.folder / "store", "--access-log", self.log,
            "--user", f"{USER}={TOKEN},{ORG}", "--user", f"{OTHER}={OTHER_TOKEN}", "--page-size", "2", *self.flags,
        ]
        self.process = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"hub listens on (http://\S+)\n", line)
        if not found:
            self.stop()
            raise AssertionError(f"hubfs hub said {line!r}")
        self.endpoint = found.group(1)

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None

    def restart(self):
        """The same store at the same address, in a new process."""
        self.stop()
        self.start(self.endpoint.removeprefix("http://"))

    def requests(self):
        """Every request so far, as the access log has it."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Watch:
    """The requests that a `with` block makes."""

    def __init__(self, hub):
        self.hub = hub

    def __enter__(self):
        self.before = len(self.hub.requests())
        return self

    def __exit__(self, *_):
        self.requests = self.hub.requests()[self.before :]

    def kinds(self):
        return [r["kind"] for r in self.requests]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def noise(size, seed=0):
    """Bytes that are surely not text."""
    out = bytearray(b"\0")
    block = hashlib.sha256(str(seed).encode()).digest()
    while len(out) < size:
        out += block
        block = hashlib.sha256(block).digest()
    return bytes(out[:size])


def raw(url, token=None, method="GET"):
    """One request without the client: status, headers, body."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method)) as r:
        return r.status, r.headers, r.read()


def folder():
    return Path(tempfile.mkdtemp(prefix="hubfs-clients-"))
