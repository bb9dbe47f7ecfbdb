import os
import subprocess
import sys

import pytest
from clientkit import ORG, OTHER, TOKEN, USER, Watch
from huggingface_hub import HfApi, RepoUrl
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)


def test_whoami(api, other):
    me = api.whoami()
    assert me["name"] == USER
    assert [o["name"] for o in me["orgs"]] == [ORG]
    assert me["auth"]["accessToken"]["role"] == "write"
    assert other.whoami()["name"] == OTHER
    with pytest.raises(HfHubHTTPError) as e:
        HfApi(token="hf_wrong").whoami()
    assert e.value.response.status_code == 401


def test_login_of_the_command(hub, tmp_path):
    env = dict(os.environ, HF_HOME=str(tmp_path))
    out = subprocess.run(
        [sys.executable, "-m", "huggingface_hub.cli.hf", "auth", "whoami"], env=env, capture_output=True, text=True, timeout=60
    )
    assert out.returncode == 0, out.stderr
    assert USER in out.stdout


@pytest.mark.parametrize("kind,extra", [("model", {}), ("dataset", {}), ("space", {"space_sdk": "static"})])
def test_create_repo(api, hub, new_id, kind, extra):
    url = api.create_repo(new_id, repo_type=kind, **extra)
    assert isinstance(url, RepoUrl)
    assert (url.repo_id, url.repo_type, url.endpoint) == (new_id, kind, hub.endpoint)
    assert api.create_repo(new_id, repo_type=kind, exist_ok=True, **extra) == url
    with pytest.raises(HfHubHTTPError) as e:
        api.create_repo(new_id, repo_type=kind, **extra)
    assert e.value.response.status_code == 409
    assert api.list_repo_files(new_id, repo_type=kind) == [".gitattributes"]
    info = api.repo_info(new_id, repo_type=kind)
    assert info.id == new_id and info.private is False and len(info.sha) == 40
    assert [c.title for c in api.list_repo_commits(new_id, repo_type=kind)] == ["initial commit"]
    assert api.repo_exists(new_id, repo_type=kind) and api.revision_exists(new_id, "main", repo_type=kind)


def test_create_repo_default_namespace_and_org(api, other, new_id):
    name = new_id.split("/")[1]
    assert api.create_repo(name).repo_id == new_id
    assert api.create_repo(f"{ORG}/{name}").repo_id == f"{ORG}/{name}"
    with pytest.raises(HfHubHTTPError) as e:
        other.create_repo(f"{ORG}/{name}-2")
    assert e.value.response.status_code == 403
    # exist_ok is content with a repo that one can only read.
    assert other.create_repo(f"{ORG}/{name}", exist_ok=True).repo_id == f"{ORG}/{name}"


def test_info_with_files(api, repo):
    api.upload_file(path_or_fileobj=b"\0large", path_in_repo="m.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=b"small", path_in_repo="a.txt", repo_id=repo)
    files = {s.rfilename: s for s in api.model_info(repo, files_metadata=True).siblings}
    assert files["m.bin"].size == 6 and files["m.bin"].lfs.size == 6
    assert files["a.txt"].size == 5 and files["a.txt"].lfs is None
    assert api.model_info(repo, expand=["sha"]).sha == api.model_info(repo).sha
    assert api.file_exists(repo, "a.txt") and not api.file_exists(repo, "b.txt")


def test_list_repos(api, anonymous, other, new_id):
    ids = [f"{ORG}/{new_id.split('/')[1]}-{i}" for i in range(5)]
    for i in ids:
        api.create_repo(i, repo_type="dataset", private=i == ids[2])
    search = {"author": ORG, "search": new_id.split("/")[1] + "-"}
    assert [d.id for d in api.list_datasets(**search)] == ids
    assert [d.id for d in anonymous.list_datasets(**search)] == ids[:2] + ids[3:]
    assert [d.id for d in other.list_datasets(**search, limit=3)] == ids[:2] + [ids[3]]
    assert list(api.list_models(author="nobody")) == []
    assert list(api.list_spaces(author="nobody")) == []


def test_private_repo(api, other, anonymous, new_id):
    api.create_repo(new_id, private=True)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=new_id)
    assert api.model_info(new_id).private is True
    for who in (other, anonymous):
        with pytest.raises(RepositoryNotFoundError):
            who.model_info(new_id)
        with pytest.raises(RepositoryNotFoundError):
            who.list_repo_files(new_id)
        with pytest.raises(RepositoryNotFoundError):
            who.auth_check(new_id)
    api.update_repo_settings(new_id, private=False)
    assert anonymous.model_info(new_id).private is False


def test_gated_repo(api, other, anonymous, repo, tmp_path):
    api.update_repo_settings(repo, gated="auto")
    assert anonymous.model_info(repo).gated == "auto"
    assert anonymous.list_repo_files(repo) == [".gitattributes"]
    for who in (other, anonymous):
        with pytest.raises(GatedRepoError):
            who.auth_check(repo)
        with pytest.raises(GatedRepoError):
            who.hf_hub_download(repo, ".gitattributes", cache_dir=tmp_path)
    api.auth_check(repo)
    api.hf_hub_download(repo, ".gitattributes")


def test_move_redirects(api, hub, repo):
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo)
    new = repo + "-renamed"
    api.move_repo(repo, new)
    assert api.model_info(new).id == new
    # The old name goes on working, for reading and for writing.
    assert api.model_info(repo).id == new
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt"]
    assert open(api.hf_hub_download(repo, "a.txt")).read() == "x"
    assert api.get_paths_info(repo, "a.txt")[0].size == 1
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=b"\0y", path_in_repo="b.bin", repo_id=repo)
    assert "redirect" in w.kinds()
    assert api.list_repo_files(new) == [".gitattributes", "a.txt", "b.bin"]
    api.create_repo(repo)
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_duplicate(api, other, repo):
    done = api.upload_file(path_or_fileobj=b"\0x", path_in_repo="m.bin", repo_id=repo)
    copy = other.duplicate_repo(repo, f"{OTHER}/copy")
    assert copy.repo_id == f"{OTHER}/copy"
    assert other.model_info(copy.repo_id).sha == done.oid
    assert other.list_repo_files(copy.repo_id) == [".gitattributes", "m.bin"]


def test_delete_repo(api, other, repo):
    with pytest.raises(HfHubHTTPError) as e:
        other.delete_repo(repo)
    assert e.value.response.status_code == 403
    api.delete_repo(repo)
    assert not api.repo_exists(repo)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo)
    api.delete_repo(repo, missing_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.list_repo_files(repo)


def test_token_is_sent_to_the_hub_alone(hub, api, repo):
    api.upload_file(path_or_fileobj=b"\0large", path_in_repo="m.bin", repo_id=repo)
    with Watch(hub) as w:
        api.hf_hub_download(repo, "m.bin")
    cdn = [r for r in w.requests if r["origin"] == "cdn"]
    assert [r["status"] for r in cdn] == [200]
    assert TOKEN not in hub.log.read_text()
