"""push_to_hub against the loopback Hub: what goes up, what comes back, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer, hub_fixture  # noqa: F401  (pytest finds it here)
from hub_uploads import READER, TOKEN
from tiny import CONFIGS, fill

from minitransformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LoraConfig,
    PeftModel,
    T5Config,
    T5ForConditionalGeneration,
    get_peft_model,
    pipeline,
)
from minitransformers.hub import HubError

# a warning of the Hub's library to itself, where it uploads through httpx
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

IDS = np.array([[5, 6, 7, 8]])
WEIGHTS = "model.safetensors"


@pytest.fixture
def gpt2() -> GPT2LMHeadModel:
    return fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"])))


@pytest.fixture(autouse=True)
def signed_in(hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", hub.url, raising=False)  # until 0.24
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_what_is_pushed_comes_back(hub, gpt2):
    done = gpt2.push_to_hub("tiny")
    assert sorted(hub.files("me/tiny")) == [
        *(".gitattributes", "README.md", "config.json", "generation_config.json", WEIGHTS)
    ]
    assert done.oid == hub.repos["me/tiny"].refs["main"]
    assert done.commit_url == f"{hub.url}/me/tiny/commit/{done.oid}"
    assert (done.commit_message, done.commit_description, done.pr_url) == ("Upload model", "", None)
    again = AutoModelForCausalLM.from_pretrained("me/tiny")
    for name, array in gpt2.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], array)
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    assert not os.listdir()  # nothing stays where it was saved


def test_what_is_pushed_again_is_what_comes_back(hub, gpt2):
    gpt2.push_to_hub("tiny")
    AutoModel.from_pretrained("me/tiny")
    gpt2.transformer.ln_f.bias = gpt2.transformer.ln_f.bias + 1
    gpt2.push_to_hub("tiny")
    again = AutoModelForCausalLM.from_pretrained("me/tiny")  # not the branch's old commit
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)


def test_the_commit_says_what_was_asked(hub, gpt2):
    done = gpt2.push_to_hub(
        "org/tiny", commit_message="new", commit_description="why", private=True
    )
    assert hub.log[0]["lines"][0]["value"] == {"summary": "new", "description": "why"}
    assert (done.commit_message, done.commit_description) == ("new", "why")
    assert hub.repos["org/tiny"].private
    gpt2.push_to_hub("tiny", private=False)
    assert not hub.repos["me/tiny"].private


def test_default_messages(hub, gpt2):
    for thing in (gpt2, gpt2.config, gpt2.generation_config, _tokenizer()):
        thing.push_to_hub("tiny")
    fill(T5ForConditionalGeneration(T5Config(**CONFIGS["t5"]))).push_to_hub("t5")
    messages = [entry["lines"][0]["value"]["summary"] for entry in hub.log]
    assert messages[0] == "Upload model"
    assert {*messages[1:-1]} <= {"Upload config", "Upload tokenizer"}
    assert messages[-1] == "Upload T5ForConditionalGeneration"


def test_shards(hub, gpt2):
    gpt2.push_to_hub("tiny", max_shard_size="4KB")
    names = sorted(name for name in hub.files("me/tiny") if name.endswith(".safetensors"))
    assert names[0] == f"model-00001-of-0000{len(names)}.safetensors"
    again = AutoModelForCausalLM.from_pretrained("me/tiny")
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)


def test_weights_that_would_be_loaded_instead_go(hub, gpt2):
    gpt2.push_to_hub("tiny", variant="fp16")
    for size in ("5GB", "4KB", "8KB", "5GB"):
        gpt2.transformer.ln_f.bias = gpt2.transformer.ln_f.bias + 1
        gpt2.push_to_hub("tiny", max_shard_size=size)
        again = AutoModelForCausalLM.from_pretrained("me/tiny")
        np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    assert {"model.fp16.safetensors", WEIGHTS} < hub.files("me/tiny").keys()
    assert not any("-of-" in name or "index" in name for name in hub.files("me/tiny"))


def test_large_files_go_up_in_parts_where_the_hub_wants_them(hub, gpt2):
    hub.part_size = 5000
    gpt2.push_to_hub("tiny")
    assert len(hub.parts) > 2
    again = AutoModelForCausalLM.from_pretrained("me/tiny")
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)


def test_a_folder_of_ones_own_gives_only_what_was_saved(hub, gpt2):
    folder = Path("tiny")
    folder.mkdir()
    (folder / "secret.txt").write_text("mine")
    (folder / "checkpoint-1").mkdir()
    (folder / "checkpoint-1" / "optimizer.bin").write_text("mine")
    gpt2.push_to_hub("org/tiny")  # the folder has the repository's name
    assert (folder / WEIGHTS).exists()
    gpt2.save_pretrained(folder, push_to_hub=True)  # and gives its name to one
    gpt2.save_pretrained("other", push_to_hub=True, repo_id="org/other", commit_message="hi")
    expected = {*(".gitattributes", "README.md", "config.json", "generation_config.json"), WEIGHTS}
    for repo in ("org/tiny", "me/tiny", "org/other"):
        assert hub.files(repo).keys() == expected
    gpt2.push_to_hub("tiny", use_temp_dir=True, commit_message="nothing new")
    assert {*os.listdir(folder)} == {
        *("secret.txt", "checkpoint-1", "config.json", "generation_config.json", WEIGHTS)
    }


def test_only_changed_files_are_committed(hub, gpt2):
    gpt2.push_to_hub("tiny")
    gpt2.config.scale_attn_weights = False
    gpt2.push_to_hub("tiny")
    keys = [line["value"]["path"] for line in hub.log[-1]["lines"][1:]]
    if _skips_unchanged():
        assert keys == ["config.json"]
    commits = len(hub.log)
    done = gpt2.push_to_hub("tiny")
    if _skips_unchanged():
        assert len(hub.log) == commits
    assert done.oid == hub.repos["me/tiny"].refs["main"]


def test_branches_are_made(hub, gpt2):
    gpt2.push_to_hub("tiny", revision="dev")
    assert WEIGHTS not in hub.files("me/tiny")
    assert WEIGHTS in hub.files("me/tiny", "dev")
    again = AutoModelForCausalLM.from_pretrained("me/tiny", revision="dev")
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    gpt2.push_to_hub("tiny", revision="dev")
    with pytest.raises(OSError, match="revision 'main'"):
        AutoModel.from_pretrained("me/tiny")


def test_pull_requests(hub, gpt2):
    hub.add("someone/tiny", {"README.md": b"# theirs\n"})
    done = gpt2.push_to_hub("someone/tiny", create_pr=True)
    assert hub.files("someone/tiny") == {"README.md": b"# theirs\n"}
    assert done.pr_num == 1
    assert done.pr_revision == "refs/pr/1"
    again = AutoModelForCausalLM.from_pretrained("someone/tiny", revision="refs/pr/1")
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    gpt2.config.n_inner = 48
    hub.add("me/own", {"README.md": b"# mine\n"})
    gpt2.push_to_hub("me/own", create_pr=True)
    gpt2.config.push_to_hub("me/own", revision="refs/pr/1")
    assert AutoConfig.from_pretrained("me/own", revision="refs/pr/1").n_inner == 48


def test_a_reader_may_propose(hub, gpt2):
    hub.add("someone/tiny", {"README.md": b"# theirs\n"})
    done = gpt2.push_to_hub("someone/tiny", create_pr=True, token=READER, revision="main")
    assert WEIGHTS in hub.files("someone/tiny", done.pr_revision)


def test_variants_and_subfolders_are_found_again(hub, gpt2, tmp_path):
    gpt2.push_to_hub("tiny", variant="fp16")
    again = AutoModelForCausalLM.from_pretrained("me/tiny", variant="fp16", proxies={"http": "x"})
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    with pytest.raises(OSError, match=r"looked for model\.safetensors"):
        AutoModelForCausalLM.from_pretrained("me/tiny")
    gpt2.save_pretrained(tmp_path / "saved", max_shard_size="4KB")
    files = {f"sub/{p.name}": p.read_bytes() for p in (tmp_path / "saved").iterdir()}
    hub.add("org/sub", files, private=True)
    again = AutoModelForCausalLM.from_pretrained("org/sub", subfolder="sub", token=TOKEN)
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)
    hub.requests.clear()
    AutoModelForCausalLM.from_pretrained("org/sub", subfolder="sub", local_files_only=True)
    assert not hub.requests
    AutoModelForCausalLM.from_pretrained("org/sub", subfolder="sub", force_download=True)
    assert hub.requests


def test_torch_files(hub, gpt2):
    gpt2.push_to_hub("tiny", safe_serialization=False)
    assert "pytorch_model.bin" in hub.files("me/tiny")
    assert WEIGHTS not in hub.files("me/tiny")


# Configurations and tokenizers


def _tokenizer():
    return AutoTokenizer.from_pretrained("minitransformers/tiny-gpt2")


def _skips_unchanged() -> bool:
    """Whether the Hub's library leaves files out that the Hub has, as it does since 0.25."""
    import huggingface_hub

    return tuple(map(int, huggingface_hub.__version__.split(".")[:2])) >= (0, 25)


def test_tokenizers(hub, tmp_path):
    tokenizer = _tokenizer()
    done = tokenizer.push_to_hub("tok", private=True, tags="tiny")
    assert done.commit_message == "Upload tokenizer"
    assert {"tokenizer.json", "tokenizer_config.json"} < hub.files("me/tok").keys()
    assert AutoTokenizer.from_pretrained("me/tok")("hi there").input_ids == (
        tokenizer("hi there").input_ids
    )
    tokenizer.save_pretrained(
        tmp_path / "t", push_to_hub=True, repo_id="org/t", legacy_format=False
    )
    assert "vocab.json" not in hub.files("org/t")


def test_configurations(hub, gpt2, tmp_path):
    assert gpt2.config.push_to_hub("c").commit_message == "Upload config"
    assert hub.files("me/c").keys() == {".gitattributes", "README.md", "config.json"}
    assert AutoConfig.from_pretrained("me/c").to_dict() == gpt2.config.to_dict() | {
        "_name_or_path": "me/c"
    }
    GenerationConfig(num_beams=3).push_to_hub("c")
    assert GenerationConfig.from_pretrained("me/c").num_beams == 3
    gpt2.config.save_pretrained(tmp_path / "x", push_to_hub=True, organization="org")
    assert "config.json" in hub.files("org/x")
    GenerationConfig(num_beams=3).save_pretrained(tmp_path / "x", push_to_hub=True)
    assert "config.json" not in hub.files("me/x")


# Pipelines and adapters


def test_a_pipeline_goes_up_as_one_commit(hub, gpt2, tmp_path):
    pipe = pipeline("text-generation", gpt2, tokenizer=_tokenizer())
    done = pipe.push_to_hub("tiny", tags=["a"], max_shard_size="4KB")
    assert done.commit_message == "Upload TextGenerationPipeline"
    names = hub.files("me/tiny").keys()
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json"} < names
    assert metadata(hub.files("me/tiny")["README.md"])["tags"] == ["a"]
    again = pipeline("text-generation", "me/tiny")
    np.testing.assert_array_equal(again.model(IDS).logits, gpt2(IDS).logits)
    assert again.tokenizer("hi").input_ids == _tokenizer()("hi").input_ids
    pipe.save_pretrained(tmp_path / "p", False, push_to_hub=True, repo_id="org/p")
    assert {"pytorch_model.bin", "tokenizer.json"} < hub.files("org/p").keys()
    assert len(hub.log) == 2
    with pytest.raises(TypeError, match=r"unexpected keywords \['nonsense'\]"):
        pipe.save_pretrained(tmp_path / "x", nonsense=1)


def test_every_adapter_of_several_goes_up(hub, gpt2):
    config = LoraConfig(r=2, target_modules=["c_attn"], init_lora_weights=False)
    model = get_peft_model(gpt2, config)
    model.add_adapter("other", config)
    model.push_to_hub("adapters")
    names = {"adapter_config.json", "adapter_model.safetensors"}
    card = hub.files("me/adapters")["README.md"]  # names no base model: it has no name
    assert metadata(card) == {"library_name": "peft", "tags": ["lora"]}
    assert names | {f"other/{name}" for name in names} < hub.files("me/adapters").keys()
    base = fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"])))
    again = PeftModel.from_pretrained(base, "me/adapters", subfolder="other")
    model.set_adapter("other")
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


# Model cards


def metadata(card: bytes) -> dict:
    from huggingface_hub import ModelCard

    return ModelCard(card.decode()).data.to_dict()


def test_a_card_is_written_where_there_is_none(hub, gpt2):
    gpt2.add_model_tags(["own", "tiny"])
    gpt2.add_model_tags("own")
    gpt2.push_to_hub("tiny", tags=["mine", "tiny"])
    card = hub.files("me/tiny")["README.md"]
    assert metadata(card) == {
        "library_name": "transformers",
        "tags": ["mine", "tiny", "own"],
    }
    assert b'GPT2LMHeadModel.from_pretrained("me/tiny")' in card


def test_a_card_that_is_there_stays_and_is_tagged(hub, gpt2):
    card = b"---\nlicense: mit\ntags:\n- a\n---\n\n# Mine\r\nas it is\n"
    hub.add("me/tiny", {"README.md": card})
    gpt2.push_to_hub("tiny")
    assert hub.files("me/tiny")["README.md"] == card
    gpt2.push_to_hub("tiny", tags=["a"])
    assert hub.files("me/tiny")["README.md"] == card
    gpt2.push_to_hub("tiny", tags=["a", "yes"])
    tagged = hub.files("me/tiny")["README.md"]
    assert metadata(tagged) == {"license": "mit", "tags": ["a", "yes"]}
    assert b"# Mine" in tagged


def test_the_folders_own_card_is_used(hub, gpt2):
    Path("tiny").mkdir()
    Path("tiny/README.md").write_text("---\nlibrary_name: mine\n---\n# Local\n")
    gpt2.push_to_hub("tiny")
    assert hub.files("me/tiny")["README.md"] == b"---\nlibrary_name: mine\n---\n# Local\n"


# Refusals


@pytest.mark.parametrize(
    ("repo", "token", "story"),
    [
        ("tiny", False, r"no token was given.*HF_TOKEN"),
        ("tiny", "hf_unknown", r"the Hub does not know it \(HTTP 401\)"),
        ("tiny", READER, r"may not write there \(HTTP 403\).*create_pr=True"),
        ("someone/tiny", TOKEN, "may not write there"),
        ("a/b/c", TOKEN, "a/b/c"),
        ("what is this", TOKEN, "what is this"),
    ],
)
def test_refusals(hub, gpt2, repo, token, story):
    with pytest.raises(
        HubError, match=f"Cannot push the model to '{repo}' at {hub.url}: .*{story}"
    ):
        gpt2.push_to_hub(repo, token=token)
    assert not hub.repos


def test_a_repository_of_someone_else(hub, gpt2):
    hub.add("someone/tiny", {})
    with pytest.raises(HubError, match="may not write there"):
        gpt2.push_to_hub("someone/tiny")
    with pytest.raises(HubError, match="may not write there"):
        gpt2.push_to_hub("someone/tiny", revision="dev")


def test_a_pull_request_that_is_not_there(hub, gpt2):
    with pytest.raises(HubError, match="no revision 'refs/pr/7'"):
        gpt2.push_to_hub("tiny", revision="refs/pr/7")


def test_without_a_network(hub, gpt2, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match="the session is offline"):
        gpt2.push_to_hub("tiny")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="no connection"):
        gpt2.push_to_hub("tiny")
    assert hub.count() == 0


def test_an_error_of_the_hub_is_told(hub, gpt2):
    hub.fault("/commit/", method="POST", status=500, times=9)
    with pytest.raises(HubError, match="500"):
        gpt2.push_to_hub("tiny")


def test_unknown_keywords(hub, gpt2, tmp_path):
    with pytest.raises(TypeError, match=r"unexpected keywords \['privte'\]"):
        gpt2.push_to_hub("tiny", privte=True)
    for thing in (gpt2, gpt2.config, gpt2.generation_config, _tokenizer()):
        with pytest.raises(TypeError, match=r"unexpected keywords \['nonsense'\]"):
            thing.save_pretrained(tmp_path / "x", nonsense=1)
    assert not hub.repos
    assert not (tmp_path / "x").exists()


def test_old_names_of_arguments(hub, gpt2, tmp_path):
    """As the reference takes them: in place of the new name, never beside it."""
    gpt2.config.push_to_hub(None, repo_path_or_name="org/named")
    gpt2.config.push_to_hub(None, repo_url=f"{hub.url}/org/linked", use_auth_token=TOKEN)
    (tmp_path / "work" / "folder").mkdir()
    gpt2.config.push_to_hub(None, repo_path_or_name=tmp_path / "work" / "folder")
    gpt2.config.push_to_hub("tiny", organization="org")
    assert hub.repos.keys() == {"org/named", "org/linked", "me/folder", "org/tiny"}
    assert os.listdir(tmp_path / "work" / "folder") == ["config.json"]
    for twice in ({"repo_path_or_name": "x"}, {"repo_url": f"{hub.url}/me/x"}):
        with pytest.raises(ValueError, match="`repo_id` and .* are both specified"):
            gpt2.push_to_hub("tiny", **twice)
    with pytest.raises(ValueError, match="`token` and `use_auth_token` are both specified"):
        gpt2.push_to_hub("tiny", token=TOKEN, use_auth_token=TOKEN)
    with pytest.raises(TypeError, match="needs repo_id"):
        gpt2.push_to_hub(None)


def test_what_cannot_be_saved_makes_no_repository(hub, gpt2):
    with pytest.raises(ValueError, match="max_shard_size"):
        gpt2.push_to_hub("tiny", max_shard_size="much")
    assert not hub.requests
    assert json.loads(gpt2.config.to_json_string())["n_embd"] == 12
