import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hub_server import TOKEN, HubServer, hub_fixture  # noqa: F401  (pytest finds it here)

from minitransformers import hub as mt_hub
from minitransformers.checkpoints import open_checkpoint, save_sharded
from minitransformers.hub import HubError, commit_hash, list_cached, resolve, resolve_file

FILES = {"config.json": b'{"n": 1}', "model.safetensors": bytes(range(256)) * 40}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def cache(tmp_path):
    return tmp_path / "hf" / "hub"


def fake_cache(folder, repo, files, commit="a" * 40, ref="main"):
    """Lay out a cached repository as huggingface_hub does, without it."""
    root = folder / ("models--" + repo.replace("/", "--"))
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / ref).write_text(commit)
    for name, content in files.items():
        path = root / "snapshots" / commit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture
def hurry(monkeypatch):
    """Skip the waits between the client's retries."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


# Fetching


def test_small_and_large_files_come_with_their_commit(hub):
    commit = hub.add("org/name", FILES)
    for name, content in FILES.items():
        path = resolve_file("org/name", name)
        assert read(path) == content
        assert commit_hash(path) == commit
    assert list_cached("org/name") == sorted(FILES)


def test_a_cached_file_costs_no_request(hub):
    hub.add("org/name", FILES)
    first = resolve_file("org/name", "config.json")
    hub.requests.clear()
    assert resolve_file("org/name", "config.json") == first
    assert hub.requests == []


def test_an_absent_file_is_asked_for_once(hub):
    hub.add("org/name", FILES)
    assert resolve_file("org/name", "merges.txt", required=False) is None
    assert hub.count() == 1
    assert resolve_file("org/name", "merges.txt", required=False) is None
    assert hub.count() == 1


def test_branch_tag_and_commit_are_revisions(hub):
    old = hub.add("org/name", {"a.json": b"old"}, revision="v1.0")
    pull = hub.add("org/name", {"a.json": b"pull"}, revision="refs/pr/1")
    new = hub.add("org/name", {"a.json": b"new"})
    for revision, content in {
        **{"v1.0": b"old", old: b"old", "main": b"new", new: b"new", "refs/pr/1": b"pull"},
        None: b"new",
        pull: b"pull",
    }.items():
        path = resolve_file("org/name", "a.json", revision=revision)
        assert read(path) == content
    hub.requests.clear()
    assert read(resolve_file("org/name", "a.json", revision="refs/pr/1")) == b"pull"
    assert hub.requests == []


def test_the_files_of_a_model_stay_at_one_commit(hub):
    hub.add("org/name", {"config.json": b"1", "model.safetensors": b"1"})
    resolve_file("org/name", "config.json")
    hub.add("org/name", {"config.json": b"2", "model.safetensors": b"2"})
    assert read(resolve_file("org/name", "model.safetensors")) == b"1"
    assert read(resolve_file("org/name", "config.json", force_download=True)) == b"2"
    assert read(resolve_file("org/name", "model.safetensors")) == b"2"


def test_a_required_file_is_looked_for_where_the_branch_is_now(hub):
    hub.add("org/name", {"README.md": b"1"})
    resolve_file("org/name", "README.md")
    assert resolve_file("org/name", "config.json", required=False) is None
    hub.add("org/name", {"README.md": b"2", "config.json": b"2"})
    assert resolve_file("org/name", "config.json", required=False) is None
    assert read(resolve_file("org/name", "config.json")) == b"2"
    assert read(resolve_file("org/name", "README.md")) == b"2"
    with pytest.raises(HubError, match="no such file"):
        resolve_file("org/name", "absent.json")


def test_a_commit_that_left_the_hub_is_replaced_by_its_branch(hub):
    gone = hub.add("org/name", {"config.json": b"1"})
    resolve_file("org/name", "config.json")
    hub.add("org/name", {"config.json": b"2", "b.json": b"2"})
    del hub.repos["org/name"].commits[gone]
    assert read(resolve_file("org/name", "b.json")) == b"2"


def test_a_subfolder(hub, tmp_path):
    hub.add("org/name", {"config.json": b"top", "onnx/config.json": b"sub"})
    assert read(resolve_file("org/name", "config.json", subfolder="onnx")) == b"sub"
    assert read(resolve_file("org/name", "onnx/config.json")) == b"sub"
    assert read(resolve_file("org/name", "config.json")) == b"top"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").write_bytes(b"here")
    assert read(resolve_file(tmp_path, "a.json", subfolder="sub/")) == b"here"


def test_cache_dir_is_used(hub, tmp_path):
    hub.add("org/name", FILES)
    path = resolve_file("org/name", "config.json", cache_dir=tmp_path / "elsewhere")
    assert path.startswith(str(tmp_path / "elsewhere"))
    assert not cache(tmp_path).exists()
    hub.requests.clear()
    resolve_file("org/name", "config.json", cache_dir=tmp_path / "elsewhere")
    assert hub.requests == []


def test_the_endpoint_is_read_at_call_time(hub, monkeypatch):
    hub.add("org/name", {"a.json": b"first"})
    resolve_file("org/name", "a.json")  # huggingface_hub is imported by now
    with HubServer() as other:
        other.add("org/other", {"a.json": b"second"})
        monkeypatch.setenv("HF_ENDPOINT", other.url + "/")
        assert read(resolve_file("org/other", "a.json")) == b"second"
        assert other.count("HEAD") == 1


def test_a_renamed_repository_is_followed(hub):
    hub.add("openai-community/gpt2", FILES)
    hub.renamed["gpt2"] = "openai-community/gpt2"
    assert read(resolve_file("gpt2", "config.json")) == FILES["config.json"]


def test_sharded_weights_come_from_the_hub(hub, tmp_path):
    weights = {f"w{n}": np.full(100, n, np.float32) for n in range(3)}
    paths = save_sharded(tmp_path / "saved", weights, 400)
    hub.add("org/name", {os.path.basename(path): read(path) for path in paths})
    loaded = open_checkpoint(resolve("org/name"))
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name].numpy(), array)
    hub.requests.clear()
    open_checkpoint(resolve("org/name"))
    assert hub.requests == []


def test_unsupported_weights_are_named_but_not_fetched(hub):
    hub.add("org/name", {"config.json": b"{}", "tf_model.h5": b"x" * 1000})
    with pytest.raises(OSError, match=r"org/name holds no weights.*found tf_model\.h5"):
        open_checkpoint(resolve("org/name"))
    assert not [request for request in hub.requests if "tf_model.h5" in request.path]


# Access


def test_the_token_is_sent_to_the_hub_and_not_to_its_cdn(hub, monkeypatch):
    hub.add("org/secret", FILES, private=True)
    resolve_file("org/secret", "config.json", token=TOKEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    resolve_file("org/secret", "model.safetensors")
    for request in hub.requests:
        sent = request.headers.get("authorization")
        assert sent == (None if request.path.startswith("/cdn") else f"Bearer {TOKEN}")


def test_token_false_sends_none(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("org/name", FILES)
    resolve_file("org/name", "config.json", token=False)
    assert not any("authorization" in request.headers for request in hub.requests)


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_repository_that_is_not_there(hub, token):
    with pytest.raises(HubError) as caught:
        resolve_file("org/nmae", "config.json", token=token)
    story = str(caught.value)
    assert isinstance(caught.value, OSError)
    for part in ("config.json", "'org/nmae'", "'main'", hub.url, "spelling", "HF_TOKEN", "private"):
        assert part in story
    assert os.path.join(os.getcwd(), "org", "nmae") in story  # perhaps a folder was meant


def test_a_private_repository_reads_like_an_absent_one(hub):
    hub.add("org/secret", FILES, private=True)
    with pytest.raises(HubError, match=r"it is private, pass token=\.\.\. or set HF_TOKEN"):
        resolve_file("org/secret", "config.json", required=False)


def test_a_gated_repository(hub):
    hub.add("org/llama", FILES, gated=True)
    with pytest.raises(
        HubError, match=rf"gated. Accept its terms at {hub.url}/org/llama.*HF_TOKEN"
    ):
        resolve_file("org/llama", "config.json")
    assert resolve_file("org/llama", "config.json", token=TOKEN)


def test_a_refused_token(hub):
    hub.add("org/name", FILES)
    with pytest.raises(HubError, match=r"token was refused \(HTTP 401\)"):
        resolve_file("org/name", "config.json", token="hf_wrong")


def test_a_revision_that_is_not_there(hub):
    hub.add("org/name", FILES)
    with pytest.raises(HubError, match=r"revision 'v9'.*no such revision. Give a branch"):
        resolve_file("org/name", "config.json", revision="v9")


def test_a_file_that_is_not_there_tells_what_is(hub):
    hub.add("org/name", FILES)
    for _ in range(2):  # asked of the Hub, then known to the cache
        with pytest.raises(HubError, match=r"it holds config\.json, model\.safetensors"):
            resolve_file("org/name", "vocab.txt")


# Broken transfers


def snapshot_files(tmp_path):
    return [path for path in cache(tmp_path).glob("*/snapshots/*/*") if path.exists()]


def test_a_cut_transfer_resumes(hub, hurry, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 100)
    hub.add("org/name", FILES)
    hub.fault("model.safetensors", cut_after=1000)
    try:
        path = resolve_file("org/name", "model.safetensors")
    except HubError:  # older clients want to be asked again, and some then start afresh
        path = resolve_file("org/name", "model.safetensors")
        assert read(path) == FILES["model.safetensors"]
        return
    assert read(path) == FILES["model.safetensors"]
    ranges = [request.headers.get("range") for request in hub.requests if request.method == "GET"]
    assert ranges[0] is None
    assert ranges[-1] == "bytes=1000-"


@pytest.mark.parametrize("fault", [{"cut_after": 0}, {"reset": True}, {"cut_after": 10}])
def test_a_transfer_that_never_completes_leaves_nothing_to_load(hub, hurry, tmp_path, fault):
    hub.add("org/name", FILES)
    hub.fault("model.safetensors", times=10_000, **fault)
    if fault.get("cut_after"):  # ten bytes at a time, and resumed, it would arrive in the end
        hub.faults[0].times = 1
        hub.fault("model.safetensors", times=10_000, reset=True)
    with pytest.raises(HubError, match=r"Cannot get model\.safetensors.*connection.*try again"):
        resolve_file("org/name", "model.safetensors")
    assert snapshot_files(tmp_path) == []
    hub.faults.clear()
    assert read(resolve_file("org/name", "model.safetensors")) == FILES["model.safetensors"]


@pytest.mark.parametrize("name", FILES)
def test_wrong_bytes_are_refused_and_removed(hub, tmp_path, name):
    hub.add("org/name", FILES)
    hub.fault(name, corrupt=True)
    with pytest.raises(HubError, match=rf"Cannot get {name}.*do not match their checksum"):
        resolve_file("org/name", name)
    assert snapshot_files(tmp_path) == []
    assert read(resolve_file("org/name", name)) == FILES[name]


def test_a_slow_transfer_arrives(hub):
    hub.add("org/name", FILES)
    hub.fault("model.safetensors", delay=0.3)
    hub.fault("model.safetensors", delay=0.3, method="HEAD")
    assert read(resolve_file("org/name", "model.safetensors")) == FILES["model.safetensors"]


def test_a_hub_that_does_not_answer_in_time(hub, hurry, monkeypatch):
    hub.add("org/name", FILES)
    hub.fault("config.json", method="HEAD", times=100, delay=1.0)
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_ETAG_TIMEOUT", 0.05)
    for name in ("_ETAG_RETRY_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):  # where versions keep it
        monkeypatch.setattr(f"huggingface_hub.file_download.{name}", 0.05, raising=False)
    with pytest.raises(HubError, match=r"no connection, or it broke.*Timeout.*tiny-gpt2"):
        resolve_file("org/name", "config.json")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_with_troubles_of_its_own(hub, hurry, status):
    hub.add("org/name", FILES)
    hub.fault("config.json", method="HEAD", times=100, status=status)
    with pytest.raises(HubError, match=rf"the Hub answered HTTP {status}. Try again later"):
        resolve_file("org/name", "config.json")


def test_a_passing_trouble_passes(hub, hurry):
    hub.add("org/name", FILES)
    hub.fault("config.json", method="HEAD", times=1, reset=True)
    try:
        path = resolve_file("org/name", "config.json")
    except HubError:  # older clients do not retry by themselves
        path = resolve_file("org/name", "config.json")
    assert read(path) == FILES["config.json"]


def test_without_a_connection(hub, hurry, monkeypatch):
    hub.add("org/name", FILES)
    resolve_file("org/name", "config.json")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert resolve_file("org/name", "config.json")
    with pytest.raises(HubError, match=r"127.0.0.1:9.*no connection.*minitransformers/tiny-gpt2"):
        resolve_file("org/name", "model.safetensors")
    assert resolve_file("org/name", "merges.txt", required=False) is None
    with pytest.raises(HubError, match="no connection"):
        resolve_file("org/never-seen", "merges.txt", required=False)


def test_without_a_connection_the_error_comes_at_once(hub, monkeypatch):
    """No request is repeated, and none is made where the Hub was not there just now."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="no connection"):
        resolve_file("org/never-seen", "config.json")
    assert waits == []


def test_a_hub_that_only_its_client_reaches(hub, monkeypatch):
    """Behind a proxy, say: one request asks whether it is there, once."""
    monkeypatch.setattr(mt_hub, "_is_connectable", lambda address: False)
    hub.add("org/name", FILES)
    for name, content in FILES.items():
        assert read(resolve_file("org/name", name)) == content
    with pytest.raises(HubError, match="no such repository"):
        resolve_file("org/absent", "config.json")
    assert [request.path for request in hub.requests].count("/") == 1


def test_a_cache_that_cannot_be_written(hub, tmp_path, monkeypatch):
    hub.add("org/name", FILES)
    (tmp_path / "file").touch()  # root may write into any folder, but not into a file
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file" / "hf"))
    with pytest.raises(HubError, match=r"cache cannot be written.*Set HF_HOME"):
        resolve_file("org/name", "config.json")


def test_a_forced_download_fails_with_the_same_story(hub, hurry, monkeypatch):
    with pytest.raises(HubError, match="no such repository, or it is private"):
        resolve_file("org/name", "config.json", force_download=True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"no connection, or it broke .*Connect"):
        resolve_file("org/name", "config.json", force_download=True)


# Offline and the cache


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_offline_uses_the_cache_and_asks_nobody(hub, monkeypatch, tmp_path, variable):
    fake_cache(cache(tmp_path), "org/name", {"config.json": b"{}"})
    options = {} if variable else {"local_files_only": True}
    if variable:
        monkeypatch.setenv(variable, "1")
    assert read(resolve_file("org/name", "config.json", **options)) == b"{}"
    assert resolve_file("org/name", "merges.txt", required=False, **options) is None
    for repo in ("org/name", "org/never-seen"):
        with pytest.raises(HubError, match=rf"{repo}.*not cached and the session is offline.*tiny"):
            resolve_file(repo, "vocab.txt", **options)
    with pytest.raises(HubError, match="offline"):  # nothing is known: absence would be a guess
        resolve_file("org/never-seen", "merges.txt", required=False, **options)
    assert hub.requests == []


def test_local_files_only_false_overrides_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not resolve("org/name", local_files_only=False)._offline()


def test_force_download_offline_is_refused(hub, monkeypatch, tmp_path):
    fake_cache(cache(tmp_path), "org/name", {"config.json": b"{}"})
    with pytest.raises(HubError, match="force_download=True needs"):
        resolve_file("org/name", "config.json", force_download=True, local_files_only=True)


def test_the_cache_needs_no_huggingface_hub(tmp_path):
    fake_cache(tmp_path / "hub", "org/name", {"config.json": b"{}"})
    fake_cache(tmp_path / "hub", "org/name", {"b.json": b"{}"}, commit="b" * 40, ref="v1")
    code = f"""
import sys
from minitransformers.hub import resolve_file, list_cached
resolve_file("org/name", "config.json")
resolve_file("org/name", "b.json", revision="v1")
resolve_file("org/name", "b.json", revision={"b" * 40!r})
resolve_file("org/name", "x.json", required=False, local_files_only=True)
list_cached("org/name")
heavy = {{"huggingface_hub", "httpx", "requests", "tqdm", "safetensors"}} & set(sys.modules)
assert not heavy, heavy
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


def test_a_recorded_absence_is_believed(hub, tmp_path):
    root = fake_cache(cache(tmp_path), "org/name", {"config.json": b"{}"})
    absent = root / ".no_exist" / ("a" * 40) / "sub" / "merges.txt"
    absent.parent.mkdir(parents=True)
    absent.touch()
    assert resolve_file("org/name", "merges.txt", subfolder="sub", required=False) is None
    assert hub.requests == []


def test_a_link_to_a_lost_blob_is_not_a_file(hub, tmp_path):
    hub.add("org/name", FILES)
    path = resolve_file("org/name", "config.json")
    os.remove(os.path.realpath(path))
    assert read(resolve_file("org/name", "config.json")) == FILES["config.json"]


@pytest.mark.parametrize("commit", ["../../../../etc", "", "main", "A" * 40])
def test_a_reference_is_a_commit_and_nothing_else(hub, tmp_path, commit):
    root = fake_cache(cache(tmp_path), "org/name", {"config.json": b"{}"})
    (root / "refs" / "main").write_text(commit)
    with pytest.raises(HubError, match="not cached"):
        resolve_file("org/name", "config.json", local_files_only=True)


@pytest.mark.parametrize(
    ("cached", "asked"),
    [
        ("openai-community/gpt2", "gpt2"),
        ("gpt2", "openai-community/gpt2"),
        ("google-bert/bert-base-uncased", "bert-base-uncased"),
        ("distilbert/distilgpt2", "distilgpt2"),
        ("t5-small", "google-t5/t5-small"),
        ("FacebookAI/xlm-roberta-base", "xlm-roberta-base"),
        ("FacebookAI/roberta-large-mnli", "roberta-large-mnli"),
        ("almanach/camembert-base", "camembert-base"),
        ("Salesforce/ctrl", "ctrl"),
    ],
)
def test_a_moved_model_is_found_under_both_names(hub, tmp_path, cached, asked):
    fake_cache(cache(tmp_path), cached, {"config.json": b"{}"})
    assert resolve_file(asked, "config.json", local_files_only=True)
    assert resolve_file(cached, "config.json", local_files_only=True)
    with pytest.raises(HubError):
        resolve_file("someone/" + asked.split("/")[-1], "config.json", local_files_only=True)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HOME": "{}/a"}, "a/hub"),
        ({"HF_HOME": "{}/a", "HF_HUB_CACHE": "{}/b"}, "b"),
        ({"HF_HOME": "{}/a", "HUGGINGFACE_HUB_CACHE": "{}/c"}, "c"),
        ({"HF_HUB_CACHE": "{}/b", "TRANSFORMERS_CACHE": "{}/d"}, "d"),
        ({"XDG_CACHE_HOME": "{}/x"}, "x/huggingface/hub"),
        ({"HOME": "{}/h"}, "h/.cache/huggingface/hub"),
        ({"HOME": "{}/h", "HF_HOME": "~/mine"}, "h/mine/hub"),
        ({"HOME": "{}/h", "HF_HUB_CACHE": "$HOME/mine"}, "h/mine"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="a home is named otherwise there")
def test_variables_say_where_the_cache_is(monkeypatch, tmp_path, hub, variables, folder):
    monkeypatch.delenv("HF_HOME")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    fake_cache(tmp_path / folder, "org/name", {"config.json": b"{}"})
    assert resolve_file("org/name", "config.json", local_files_only=True)


# Folders, bundled models, hostile names


def test_a_folder_is_used_directly(tmp_path):
    (tmp_path / "config.json").write_bytes(b"{}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").touch()
    path = resolve_file(tmp_path, "config.json", revision="ignored")
    assert path == str(tmp_path / "config.json")
    assert commit_hash(path) is None
    assert resolve_file(tmp_path, "merges.txt", required=False) is None
    assert list_cached(tmp_path) == resolve(tmp_path).files() == ["config.json", "sub/a.txt"]
    with pytest.raises(HubError, match=r"vocab\.txt in the folder .*it holds config\.json, sub/a"):
        resolve_file(tmp_path, "vocab.txt")


def test_a_bundled_model_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setitem(mt_hub.BUNDLED, "minitransformers/tiny", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "config.json").touch()
    assert resolve_file("minitransformers/tiny", "config.json") == str(tmp_path / "config.json")


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../../b", "a//b", "a\\b", "C:a", "", ".", "a\0", "./a"]
)
def test_a_file_name_stays_inside(tmp_path, name):
    for where in ({"filename": name}, {"filename": "a", "subfolder": name}):
        if where.get("subfolder") == "":
            continue
        for repo in (tmp_path, "org/name"):
            with pytest.raises(HubError, match="not a path inside a repository"):
                resolve_file(repo, **where, local_files_only=True)


@pytest.mark.parametrize("revision", ["../../x", "/etc/passwd", "a\\b"])
def test_a_revision_stays_inside(hub, revision):
    with pytest.raises(HubError, match="not a path inside"):
        resolve_file("org/name", "a", revision=revision)


@pytest.mark.parametrize(
    "repo",
    [
        "a/b/c",
        "../a",
        "./missing",
        "/missing",
        "",
        "org/",
        "a b",
        "o/..",
        "o/a--b",
        "o/é",
        "o" * 97,
    ],
)
def test_what_is_no_repository_is_refused(hub, repo):
    with pytest.raises(
        HubError, match=r"neither a folder that exists here .* nor an id of the Hub"
    ):
        resolve_file(repo, "config.json")
    assert hub.requests == []


# The rest


def test_model_tag(hub, tmp_path, monkeypatch):
    hub.add("org/name", FILES, pipeline_tag="summarization")
    assert mt_hub.model_tag("org/name") == "summarization"
    assert mt_hub.model_tag(tmp_path) is None
    with pytest.raises(HubError, match=rf"Cannot ask {hub.url} for the task of 'org/x'.*spelling"):
        mt_hub.model_tag("org/x")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match=r"offline. Name the task"):
        mt_hub.model_tag("org/name")


def test_files_lists_the_hub_or_the_cache(hub, monkeypatch):
    hub.add("org/name", FILES)
    assert resolve("org/name").files() == sorted(FILES)
    resolve_file("org/name", "config.json")
    assert resolve("org/name", local_files_only=True).files() == ["config.json"]
    assert resolve("org/never-seen").files() == []


def test_options_are_split_from_the_rest():
    where, rest = mt_hub.split_options(
        {
            **{"revision": "v1", "use_auth_token": TOKEN, "subfolder": "", "cache_dir": None},
            **{"resume_download": True, "proxies": None, "_commit_hash": None, "num_labels": 3},
        }
    )
    assert where == {"revision": "v1", "subfolder": "", "token": TOKEN}
    assert rest == {"num_labels": 3}


def test_an_interrupted_process_leaves_nothing_to_load(hub, tmp_path):
    hub.add("org/name", FILES)
    hub.fault("model.safetensors", delay=5)
    code = 'from minitransformers.hub import resolve_file; resolve_file("org/name", {!r})'
    command = [sys.executable, "-c", code.format("model.safetensors")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not hub.count("GET") and process.poll() is None:
            time.sleep(0.02)
        process.kill()
    assert snapshot_files(tmp_path) == []
    assert read(resolve_file("org/name", "model.safetensors")) == FILES["model.safetensors"]


def test_the_server_keeps_a_record(hub):
    hub.add("org/name", FILES)
    resolve_file("org/name", "config.json")
    methods = [request.method for request in hub.requests]
    assert methods == ["HEAD", "GET"]
    assert json.loads(read(resolve_file("org/name", "config.json"))) == {"n": 1}
