import pytest
from clientkit import git_blob
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError


def names(refs):
    return {r.name: r.target_commit for r in refs}


def test_branches(api, other, repo):
    first = api.model_info(repo).sha
    second = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo).oid
    api.create_branch(repo, branch="dev")
    api.create_branch(repo, branch="feature/one", revision=first)
    refs = api.list_repo_refs(repo)
    assert names(refs.branches) == {"main": second, "dev": second, "feature/one": first}
    assert {b.ref for b in refs.branches} == {"refs/heads/main", "refs/heads/dev", "refs/heads/feature/one"}
    assert refs.tags == [] and refs.converts == [] and refs.pull_requests is None
    with pytest.raises(HfHubHTTPError) as e:
        api.create_branch(repo, branch="dev")
    assert e.value.response.status_code == 409
    api.create_branch(repo, branch="dev", exist_ok=True)
    with pytest.raises(HfHubHTTPError):
        other.create_branch(repo, branch="mine")

    done = api.upload_file(path_or_fileobj=b"\0x", path_in_repo="m.bin", repo_id=repo, revision="feature/one")
    assert api.list_repo_files(repo, revision="feature/one") == [".gitattributes", "m.bin"]
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt"]
    assert open(api.hf_hub_download(repo, "m.bin", revision="feature/one"), "rb").read() == b"\0x"
    assert api.model_info(repo, revision="feature/one").sha == done.oid

    api.delete_branch(repo, branch="feature/one")
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files(repo, revision="feature/one")
    assert api.model_info(repo, revision=done.oid).sha == done.oid
    with pytest.raises(HfHubHTTPError):
        api.delete_branch(repo, branch="main")


def test_tags(api, repo):
    first = api.model_info(repo).sha
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo)
    api.create_tag(repo, tag="v1", tag_message="the first", revision=first)
    api.create_tag(repo, tag="v2")
    assert names(api.list_repo_refs(repo).tags) == {"v1": first, "v2": api.model_info(repo).sha}
    assert api.list_repo_files(repo, revision="v1") == [".gitattributes"]
    with pytest.raises(HfHubHTTPError) as e:
        api.create_tag(repo, tag="v1")
    assert e.value.response.status_code == 409
    api.create_tag(repo, tag="v1", exist_ok=True)
    with pytest.raises(BadRequestError):
        api.create_tag(repo, tag="bad..tag")
    with pytest.raises(HfHubHTTPError):
        api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=repo, revision="v1")
    api.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1")


def test_create_pr_with_a_commit(api, other, hub, repo):
    main = api.model_info(repo).sha
    done = other.create_commit(
        repo, [CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("m.bin", b"\0m")], commit_message="please", create_pr=True
    )
    assert done.pr_url == f"{hub.endpoint}/{repo}/discussions/1" and done.pr_revision == "refs/pr/1" and done.pr_num == 1
    assert api.model_info(repo).sha == main
    assert other.list_repo_files(repo, revision="refs/pr/1") == [".gitattributes", "a.txt", "m.bin"]
    assert open(api.hf_hub_download(repo, "a.txt", revision="refs/pr/1")).read() == "a"
    assert names(api.list_repo_refs(repo, include_pull_requests=True).pull_requests) == {"1": done.oid}
    # Its author goes on with it.
    other.upload_file(path_or_fileobj=b"b", path_in_repo="b.txt", repo_id=repo, revision="refs/pr/1")
    d = api.get_discussion_details(repo, 1)
    assert (d.title, d.status, d.author, d.is_pull_request, d.git_reference) == ("please", "open", "other", True, "refs/pr/1")
    assert d.conflicting_files == []
    api.merge_pull_request(repo, 1)
    assert api.list_repo_files(repo) == [".gitattributes", "a.txt", "b.txt", "m.bin"]
    assert api.get_discussion_details(repo, 1).status == "merged"


def test_create_pr_then_commit(api, other, repo, tmp_path):
    pr = other.create_pull_request(repo, "a draft", description="see")
    assert (pr.num, pr.status, pr.is_pull_request) == (1, "draft", True)
    (tmp_path / "a.txt").write_text("a")
    other.upload_folder(repo_id=repo, folder_path=tmp_path, revision=pr.git_reference)
    info = api.get_paths_info(repo, "a.txt", revision="refs/pr/1")
    assert info[0].blob_id == git_blob(b"a")
    done = api.upload_folder(repo_id=repo, folder_path=tmp_path, create_pr=True, commit_message="again")
    assert done.pr_num == 2
    assert [(d.num, d.status) for d in api.get_repo_discussions(repo)] == [(2, "open"), (1, "draft")]


def test_discussion(api, other, repo):
    d = other.create_discussion(repo, "why?", description="tell me")
    assert not d.is_pull_request
    assert d.events[0].content == "tell me"
    assert api.comment_discussion(repo, d.num, "because").content == "because"
    assert api.rename_discussion(repo, d.num, "now I see").new_title == "now I see"
    assert api.change_discussion_status(repo, d.num, "closed").new_status == "closed"
    d = api.get_discussion_details(repo, d.num)
    assert (d.title, d.status) == ("now I see", "closed")
    assert [e.type for e in d.events] == ["comment", "comment", "title-change", "status-change"]
