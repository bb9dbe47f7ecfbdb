"""push_to_hub, pull requests, branches and model cards, as the library does them."""

import json

import pytest
from clientkit import Watch, noise
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, ModelCard, ModelCardData, ModelHubMixin
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import get_session


class Model(ModelHubMixin, library_name="toy", tags=["toy"], license="mit"):
    """A model whose weights are large, and whose config is not."""

    def __init__(self, size: int = 3):
        self.size = size

    def _save_pretrained(self, save_directory):
        (save_directory / "weights.bin").write_bytes(noise(100_000, seed=self.size))

    @classmethod
    def _from_pretrained(cls, *, model_id, revision, cache_dir, force_download, local_files_only, token, size=3, **_):
        return cls(size=size)


def test_push_to_hub(api, hub, new_id):
    url = Model(size=5).push_to_hub(new_id, commit_message="trained", private=True)
    assert url.startswith(f"{hub.endpoint}/{new_id}")
    assert api.list_repo_files(new_id) == [".gitattributes", "README.md", "config.json", "weights.bin"]
    assert api.model_info(new_id).private and api.list_repo_commits(new_id)[0].title == "trained"
    assert json.load(open(api.hf_hub_download(new_id, "config.json"))) == {"size": 5}
    assert ModelCard.load(new_id).data.license == "mit"
    assert Model.from_pretrained(new_id).size == 5


def test_push_to_a_branch(api, repo):
    main = api.model_info(repo).sha
    api.create_branch(repo, branch="next")
    Model(size=6).push_to_hub(repo, branch="next")
    assert api.model_info(repo).sha == main
    assert Model.from_pretrained(repo, revision="next").size == 6
    Model(size=7).push_to_hub(repo, branch="next", ignore_patterns="*.bin", delete_patterns="*.md")
    assert Model.from_pretrained(repo, revision="next").size == 7


def test_push_as_pull_request(api, other, repo):
    main = api.model_info(repo).sha
    # Somebody who can only read: large files too.
    Model(size=8).push_to_hub(repo, create_pr=True, token=other.token, commit_message="mine is better")
    pulls = list(api.get_repo_discussions(repo, discussion_type="pull_request", discussion_status="open"))
    assert [(p.num, p.title, p.author, p.status) for p in pulls] == [(1, "mine is better", "other", "open")]
    assert api.model_info(repo).sha == main
    assert Model.from_pretrained(repo, revision="refs/pr/1").size == 8
    api.merge_pull_request(repo, 1)
    assert api.get_discussion_details(repo, 1).status == "merged"
    assert Model.from_pretrained(repo).size == 8
    assert list(api.get_repo_discussions(repo, discussion_status="open")) == []


def test_pull_request_at_a_parent(api, other, repo):
    old = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo).oid
    api.upload_file(path_or_fileobj=b"2", path_in_repo="b.txt", repo_id=repo)
    done = other.create_commit(
        repo, [CommitOperationAdd("c.txt", b"3"), CommitOperationDelete("a.txt")],
        commit_message="from before", parent_commit=old, create_pr=True,
    )
    assert done.pr_revision == "refs/pr/1"
    assert api.list_repo_files(repo, revision="refs/pr/1") == [".gitattributes", "c.txt"]
    d = api.get_discussion_details(repo, 1)
    assert d.target_branch == "refs/heads/main" and d.conflicting_files == []
    api.merge_pull_request(repo, 1)
    assert api.list_repo_files(repo) == [".gitattributes", "b.txt", "c.txt"]


def test_pull_request_in_conflict(api, other, repo):
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo)
    other.upload_file(path_or_fileobj=b"theirs", path_in_repo="a.txt", repo_id=repo, create_pr=True)
    head = api.upload_file(path_or_fileobj=b"ours", path_in_repo="a.txt", repo_id=repo).oid
    assert api.get_discussion_details(repo, 1).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(repo, 1)
    assert api.model_info(repo).sha == head


def test_who_may_propose(api, other, anonymous, repo, new_id):
    with pytest.raises(HfHubHTTPError) as e:
        anonymous.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo, create_pr=True)
    assert e.value.response.status_code == 401
    other.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo, create_pr=True)
    # Only its author and those who may write go on with it, and only those merge.
    api.upload_file(path_or_fileobj=b"y", path_in_repo="a.txt", repo_id=repo, revision="refs/pr/1")
    with pytest.raises(HfHubHTTPError) as e:
        other.merge_pull_request(repo, 1)
    assert e.value.response.status_code == 403
    api.update_repo_settings(repo, private=True)
    with pytest.raises(RepositoryNotFoundError):
        other.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo, create_pr=True)


def test_discussions_in_pages(api, other, repo):
    for i in range(5):
        (api if i % 2 else other).create_discussion(repo, f"number {i + 1}")
    api.create_pull_request(repo, "a draft")
    api.change_discussion_status(repo, 2, "closed")
    nums = lambda **o: [d.num for d in api.get_repo_discussions(repo, **o)]  # noqa: E731
    assert nums() == [6, 5, 4, 3, 2, 1]
    assert nums(discussion_type="pull_request") == [6]
    assert nums(discussion_type="discussion", discussion_status="open") == [5, 4, 3, 1]
    assert nums(discussion_status="closed") == [2]
    assert nums(author="other") == [5, 3, 1]
    response = get_session().post(f"{api.endpoint}/api/models/{repo}/discussions/3/pin", json={"pinned": True}, headers=api._build_hf_headers())
    assert response.status_code == 200 and nums() == [3, 6, 5, 4, 2, 1]


def test_upload_folder_to_a_branch(api, hub, repo, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "m.bin").write_bytes(noise(10_000))
    api.create_branch(repo, branch="dev/one")
    with Watch(hub) as w:
        done = api.upload_folder(repo_id=repo, folder_path=tmp_path, revision="dev/one", commit_message="there")
    assert w.kinds() == ["preupload", "lfs-batch", "lfs-put", "verify", "commit"]
    assert api.list_repo_files(repo, revision="dev/one") == [".gitattributes", "a.txt", "m.bin"]
    assert api.list_repo_files(repo) == [".gitattributes"]
    assert api.model_info(repo, revision="dev/one").sha == done.oid


def test_cards_that_are_refused(api, hub, repo):
    head = api.model_info(repo).sha
    for card, why in (
        ("---\nlicense: mit\n", "not closed"),
        ("---\nlicense: No Such Licence!\n---\n", "license"),
        ("---\ntags: [a, b\n---\n", "YAML"),
        ("---\na: 1\na: 2\n---\n", "YAML"),
        ("---\njust words\n---\n", "object"),
    ):
        with pytest.raises(ValueError, match="Invalid metadata in README.md.\n- .*" + why):
            api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=repo)
        # A client that does not ask first is refused by the commit itself.
        with Watch(hub) as w, pytest.raises(BadRequestError, match="README"):
            with pytest.MonkeyPatch.context() as m:
                m.setattr(api, "_validate_yaml", lambda *_, **__: None)
                api.create_commit(repo, [CommitOperationAdd("README.md", card.encode())], commit_message="unasked")
        assert w.kinds() == ["preupload", "commit"]
    # One that is not at the root is no card.
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\n", path_in_repo="sub/README.md", repo_id=repo)
    assert api.model_info(repo).sha != head


def test_card_with_a_warning(api, repo):
    with pytest.warns(UserWarning, match="empty or missing yaml metadata in repo card"):
        api.upload_file(path_or_fileobj=b"# no metadata\n", path_in_repo="README.md", repo_id=repo)


def test_model_card(api, other, repo):
    card = ModelCard.from_template(ModelCardData(license="apache-2.0", tags=["x"], language="en", library_name="toy"), model_id=repo)
    card.push_to_hub(repo)
    assert ModelCard.load(repo).data.license == "apache-2.0"
    card.data.license = "mit"
    card.push_to_hub(repo, create_pr=True, token=other.token)
    api.merge_pull_request(repo, 1)
    loaded = ModelCard.load(repo, ignore_metadata_errors=False)
    assert (loaded.data.license, loaded.data.tags) == ("mit", ["x"])
