import os
from pathlib import Path

import pytest
from clientkit import Watch, noise, raw, sha256
from huggingface_hub import CommitOperationAdd, HfApi, get_hf_file_metadata, hf_hub_url, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

DATA = {"config.json": b'{"a": 1}\n', "sub/words.txt": b"w\n" * 500, "model.safetensors": noise(300_000), "empty.txt": b""}


def fill(api, repo):
    api.create_repo(repo, exist_ok=True)
    return api.create_commit(repo, [CommitOperationAdd(p, d) for p, d in DATA.items()], commit_message="files").oid


@pytest.fixture(scope="module")
def full(hub):
    api = HfApi()
    return "me/download", fill(api, "me/download")


def resolves(w):
    return [(r["method"], r["kind"], r["status"]) for r in w.requests]


def test_shape_a(api, hub, full, tmp_path):
    repo, commit = full
    with Watch(hub) as w:
        path = api.hf_hub_download(repo, "config.json", cache_dir=tmp_path)
    assert Path(path).read_bytes() == DATA["config.json"]
    assert resolves(w) == [("HEAD", "resolve", 307), ("HEAD", "content", 200), ("GET", "content", 200)]
    assert {r["origin"] for r in w.requests} == {"hub"}
    assert f"snapshots/{commit}/config.json" in path
    with Watch(hub) as w:
        assert api.hf_hub_download(repo, "config.json", cache_dir=tmp_path) == path
    assert resolves(w) == [("HEAD", "resolve", 307), ("HEAD", "content", 200)]
    with Watch(hub) as w:
        assert api.hf_hub_download(repo, "config.json", cache_dir=tmp_path, revision=commit) == path
    assert w.requests == []


def test_shape_b(api, hub, full, tmp_path):
    repo, commit = full
    with Watch(hub) as w:
        path = api.hf_hub_download(repo, "model.safetensors", cache_dir=tmp_path)
    assert Path(path).read_bytes() == DATA["model.safetensors"]
    assert os.path.basename(os.path.realpath(path)) == sha256(DATA["model.safetensors"])
    assert resolves(w) == [("HEAD", "resolve", 302), ("GET", "content", 200)]
    assert [r["origin"] for r in w.requests] == ["hub", "cdn"]
    with Watch(hub) as w:
        api.hf_hub_download(repo, "model.safetensors", cache_dir=tmp_path)
    assert resolves(w) == [("HEAD", "resolve", 302)]


def test_shape_c(api, hub, full, tmp_path):
    repo, _ = full
    with Watch(hub) as w:
        path = api.hf_hub_download(repo, "empty.txt", cache_dir=tmp_path)
    assert Path(path).read_bytes() == b""
    assert resolves(w)[0] == ("HEAD", "resolve", 200)
    api.create_repo("me/private-download", private=True)
    api.upload_file(path_or_fileobj=b"secret", path_in_repo="a.txt", repo_id="me/private-download")
    with Watch(hub) as w:
        assert Path(api.hf_hub_download("me/private-download", "a.txt", cache_dir=tmp_path)).read_bytes() == b"secret"
    assert resolves(w) == [("HEAD", "resolve", 200), ("GET", "resolve", 200)]


@pytest.mark.parametrize("shape", ["A", "B", "C"])
def test_every_file_in_each_shape(another_hub, tmp_path, shape):
    hub = another_hub("--resolve", shape)
    api = HfApi(endpoint=hub.endpoint)
    fill(api, "me/all")
    with Watch(hub) as w:
        folder = Path(api.snapshot_download("me/all", cache_dir=tmp_path))
    assert {p: (folder / p).read_bytes() for p in DATA} == DATA
    assert {r["status"] for r in w.requests if r["kind"] == "resolve"} == {"A": {307}, "B": {302}, "C": {200}}[shape]


def test_metadata(hub, full):
    repo, commit = full
    m = get_hf_file_metadata(hf_hub_url(repo, "model.safetensors"))
    assert (m.commit_hash, m.etag, m.size) == (commit, sha256(DATA["model.safetensors"]), 300_000)
    assert not m.location.startswith(hub.endpoint)
    m = get_hf_file_metadata(hf_hub_url(repo, "sub/words.txt"))
    assert (m.commit_hash, m.size) == (commit, 1000)


def test_an_interrupted_download_goes_on(api, hub, full, tmp_path):
    repo, _ = full
    etag = sha256(DATA["model.safetensors"])
    local = tmp_path / "local"
    # What a broken download leaves is found by the range request for the rest.
    from huggingface_hub.file_download import http_get

    url = get_hf_file_metadata(hf_hub_url(repo, "model.safetensors")).location
    part = tmp_path / "part"
    part.write_bytes(DATA["model.safetensors"][:100_000])
    with open(part, "ab") as f, Watch(hub) as w:
        http_get(url, f, resume_size=100_000, expected_size=300_000)
        f.flush()
    assert sha256(part.read_bytes()) == etag
    assert [(r["status"], r["range"]) for r in w.requests] == [(206, "bytes=100000-")]
    assert Path(api.hf_hub_download(repo, "config.json", local_dir=local)).read_bytes() == DATA["config.json"]


def test_snapshot(hub, full, tmp_path):
    repo, commit = full
    with Watch(hub) as w:
        folder = Path(snapshot_download(repo, cache_dir=tmp_path))
    assert folder.name == commit
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {*DATA, ".gitattributes"}
    assert {p: (folder / p).read_bytes() for p in DATA} == DATA
    assert w.kinds()[0] == "info" and w.kinds().count("tree") == 3
    with Watch(hub) as w:
        snapshot_download(repo, cache_dir=tmp_path, revision=commit)
    assert not [r for r in w.requests if r["method"] == "GET" and r["kind"] == "content"]
    some = Path(snapshot_download(repo, allow_patterns="*.json", local_dir=tmp_path / "local"))
    assert {p.name for p in some.glob("*")} == {"config.json", ".cache"}


def test_dataset_and_space(api, tmp_path):
    for kind, extra in (("dataset", {}), ("space", {"space_sdk": "static"})):
        api.create_repo("me/other-kind", repo_type=kind, **extra)
        api.upload_file(path_or_fileobj=b"\0large", path_in_repo="d/m.bin", repo_id="me/other-kind", repo_type=kind)
        api.upload_file(path_or_fileobj=b"small", path_in_repo="d/s.txt", repo_id="me/other-kind", repo_type=kind)
        folder = Path(api.snapshot_download("me/other-kind", repo_type=kind, cache_dir=tmp_path))
        assert (folder / "d/m.bin").read_bytes() == b"\0large" and (folder / "d/s.txt").read_bytes() == b"small"


def test_what_is_missing(api, anonymous, full, tmp_path):
    repo, commit = full
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo, "none.txt", cache_dir=tmp_path)
    # The answer named the commit, so the cache keeps it.
    assert str(try_to_load_from_cache(repo, "none.txt", cache_dir=tmp_path)) != "None"
    assert (tmp_path / "models--me--download/.no_exist" / commit / "none.txt").exists()
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo, "sub", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(repo, "config.json", revision="none", cache_dir=tmp_path)
    for who in (api, anonymous):
        with pytest.raises(RepositoryNotFoundError):
            who.hf_hub_download("me/none", "config.json", cache_dir=tmp_path)
        with pytest.raises(RepositoryNotFoundError):
            who.snapshot_download("me/none", cache_dir=tmp_path)
    with pytest.raises(LocalEntryNotFoundError):
        api.hf_hub_download(repo, "config.json", cache_dir=tmp_path / "empty", local_files_only=True)


def test_signed_urls_expire(another_hub, tmp_path):
    import time
    import urllib.error

    hub = another_hub("--url-ttl", "1s")
    api = HfApi(endpoint=hub.endpoint)
    fill(api, "me/short")
    url = get_hf_file_metadata(hf_hub_url("me/short", "model.safetensors", endpoint=hub.endpoint)).location
    assert raw(url)[0] == 200
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            raw(url)
        except urllib.error.HTTPError as e:
            assert e.code == 403
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the URL does not expire")
    assert Path(api.hf_hub_download("me/short", "model.safetensors", cache_dir=tmp_path)).read_bytes() == DATA["model.safetensors"]
