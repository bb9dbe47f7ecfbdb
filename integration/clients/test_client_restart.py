from pathlib import Path

import pytest
from clientkit import Watch, noise
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError


def test_a_restart_keeps_everything(another_hub, tmp_path):
    hub = another_hub()
    api = HfApi(endpoint=hub.endpoint)
    api.create_repo("me/kept")
    api.create_repo("me/hidden", private=True, repo_type="dataset")
    api.create_repo("me/gone")
    api.delete_repo("me/gone")
    first = api.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id="me/kept")
    second = api.upload_file(path_or_fileobj=noise(1000), path_in_repo="m.bin", repo_id="me/kept")
    api.create_branch("me/kept", branch="dev", revision=first.oid)
    api.create_tag("me/kept", tag="v1", revision=first.oid)
    pr = api.upload_file(path_or_fileobj=b"two", path_in_repo="a.txt", repo_id="me/kept", create_pr=True)
    api.move_repo("me/kept", "me/moved")

    def seen():
        return (
            api.list_repo_refs("me/kept", include_pull_requests=True),
            api.list_repo_commits("me/kept"),
            list(api.list_repo_tree("me/kept", recursive=True, expand=True)),
            api.get_discussion_details("me/kept", 1),
            vars(api.model_info("me/kept")),
            api.dataset_info("me/hidden").private,
        )

    before = seen()
    hub.restart()
    assert seen() == before
    assert api.model_info("me/kept").id == "me/moved" and api.model_info("me/moved").sha == second.oid
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("me/gone")
    folder = Path(api.snapshot_download("me/moved", cache_dir=tmp_path))
    assert (folder / "m.bin").read_bytes() == noise(1000) and (folder / "a.txt").read_bytes() == b"one"
    # History goes on, and content that is there is not asked for again.
    with Watch(hub) as w:
        api.upload_file(path_or_fileobj=noise(1000), path_in_repo="n.bin", repo_id="me/moved", parent_commit=second.oid)
    assert "lfs-put" not in w.kinds()
    assert api.list_repo_commits("me/moved")[1].commit_id == second.oid
    assert pr.pr_num == 1
