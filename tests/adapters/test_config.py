"""What adapter_config.json may say: strangers' expressions, wrong values, other people's paths."""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_cases import build
from hub_server import hub_fixture  # noqa: F401  (pytest finds it here)
from hub_uploads import TOKEN
from hypothesis import given, settings
from hypothesis import strategies as st

import minitransformers as mt
from minitransformers.adapters import patterns, targets

PATTERNS = [
    r".*decoder.*(SelfAttention|EncDecAttention).*(q|v)$",
    r"^(?!.*visual).*(q_proj|v_proj)",
    r"model\.layers\.\d+\.self_attn\.[qkv]_proj",
    r"(?:.*?(?:vision|text).*?(?:attn|mlp).*?_proj.*?)|(?:\bmodel\.layers\.[\d]{1,}\.q_proj)",
    r"(a|ab)*c?",
    r"(a*)*b",
    r"((a{2,3})|b)+?",
    r"[^.]+\.h\.\d{1,2}\..*",
    r"\w+\W\S",
    r"(?:a?){20}a{3}",
    r"\Ba\b|x",
    r"(?=a.)..|\Aab?\Z",
    "",
]
NAMES = [
    "decoder.block.0.SelfAttention.q", "model.layers.11.self_attn.q_proj", "visual.x.q_proj",
    "model.layers.3.q_proj", "text.attn.k_proj", "aab", "ababc", "a" * 12, "aaab", "ab", "a.b",
    "transformer.h.3.attn.c_attn", "", "a", "x",
]  # fmt: skip
PIECES = st.sampled_from([*"ab.|*+?()", "[ab]", "[^a]", r"\d", r"\w", r"\b", "a{1,2}", "(?:", "$"])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_expressions_mean_what_they_mean_in_python(pattern: str) -> None:
    for name in NAMES:
        assert patterns.fullmatch(pattern, name) == bool(re.fullmatch(pattern, name)), name


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join), st.text("ab.1", max_size=6))
def test_any_expression_means_what_it_means_in_python(pattern: str, name: str) -> None:
    try:
        wanted = bool(re.fullmatch(pattern, name))
    except (re.error, RecursionError):
        with pytest.raises(ValueError, match="not"):
            patterns.fullmatch(pattern, name)
        return
    with contextlib.suppress(ValueError):  # possessive repeats, since Python 3.11
        assert patterns.fullmatch(pattern, name) == wanted


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*b", "(.*)*(.*)*(.*)*x", ".*" * 30 + "x", "((((a+)+)+)+)+b", "(a?){900}b",
     "((a{100}){100}){100}", "(" * 5000 + "a" + ")" * 5000, "a" * 20_000, "(a)\\1",
     "(?i)A", "a{9999}", ".*" * 4999 + "x", "(.|.)*" * 1500 + "x", "(.+)+" * 900 + "x"],
)  # fmt: skip
def test_no_expression_takes_long(pattern: str) -> None:
    start = time.perf_counter()
    with contextlib.suppress(ValueError):  # too long, too deep, or not supported
        assert not patterns.fullmatch(pattern, "a" * 80)
    assert time.perf_counter() - start < 1  # a model has thousands of names


def test_what_takes_too_many_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="too complicated"):
        patterns.fullmatch(".*" * 4999 + "x", "model.layers.11.self_attn.q_proj")
    assert patterns.fullmatch("|".join(f"h.{i}.attn" for i in range(900)), "h.899.attn")


@pytest.mark.parametrize(
    ("layers", "pattern", "name", "wanted"),
    [
        (1, None, "model.layers.1.attn.q", True),
        (1, None, "model.layers.0.attn.q", False),
        ([0, 3], "h", "transformer.h.3.attn.q", True),
        ([0, 3], "layers", "transformer.h.3.attn.q", False),
        ([3], ["layers", "h"], "transformer.h.3.attn.q", True),
        (3, None, "h.3.attn.q", False),  # as in PEFT, something must stand before the list's name
        (3, "h|g", "a.h.3.q", True),
        (2, None, "a.b.1.c.2.q", True),
        (1, None, "a.b.1.c.2.q", False),
        ([], None, "a.q", True),
    ],
)
def test_layers(layers: Any, pattern: Any, name: str, wanted: bool) -> None:
    config = mt.LoraConfig(target_modules=["q"], layers_to_transform=layers, layers_pattern=pattern)
    assert targets.is_target(config, name) == wanted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("r", 0), ("r", -1), ("r", 2.5), ("r", True), ("r", "8"), ("lora_alpha", "16"),
        ("lora_alpha", float("nan")), ("lora_dropout", 1.5), ("lora_dropout", -0.1),
        ("bias", "some"), ("target_modules", 3), ("target_modules", [1]),
        ("target_modules", {"a": 1}),
        ("modules_to_save", "classifier"), ("rank_pattern", {"a": 0}), ("rank_pattern", [1]),
        ("alpha_pattern", {"a": "b"}), ("layers_to_transform", "all"), ("task_type", "EVERYTHING"),
        ("task_type", ["CAUSAL_LM"]), ("init_lora_weights", 3), ("base_model_name_or_path", 3),
        ("megatron_config", {"a": 1}), ("layer_replication", [[0, 1]]), ("use_qalora", True),
        ("target_parameters", ["x"]), ("trainable_token_indices", [1]), ("revision", 3),
        ("alora_invocation_tokens", [1]), ("layers_pattern", 3),
    ],
)  # fmt: skip
def test_wrong_values_are_named(field: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=field):
        mt.LoraConfig(**{"r": 8} | {field: value})
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({"peft_type": "LORA", field: value}))
    with pytest.raises(ValueError, match=rf"(?s)adapter_config\.json.*{field}"):
        mt.PeftConfig.from_pretrained(tmp_path)


def test_fields_that_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="layers_to_transform"):
        mt.LoraConfig(target_modules="q", layers_to_transform=[1])
    with pytest.raises(ValueError, match="layers_to_transform"):
        mt.LoraConfig(target_modules=["q"], layers_pattern="h")
    with pytest.raises(ValueError, match="lora_bias"):
        mt.LoraConfig(lora_bias=True, use_dora=True)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", '"LORA"', "[" * 100_000, '{"peft_type": "IA3"}', '{"r": 8}', "\xff"],
)
def test_files_that_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"adapter_config\.json"):
        mt.PeftConfig.from_pretrained(tmp_path)


def test_fields_of_later_versions(tmp_path: Path) -> None:
    values = {"peft_type": "LORA", "r": 4, "peft_version": "0.19", "corda_config": None}
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(values | {"qalora_group_size": 16, "unheard_of": False}))
    assert mt.PeftConfig.from_pretrained(tmp_path).r == 4
    path.write_text(json.dumps(values | {"unheard_of": 3}))
    assert mt.PeftConfig.from_pretrained(tmp_path).r == 4  # with a warning


@pytest.mark.parametrize("how", ["eva", "loftq", "corda", "pissa_niter_", "other"])
def test_beginnings_that_are_not_known(how: str) -> None:
    with pytest.raises(ValueError, match=how):
        mt.get_peft_model(build("gpt2", "GPT2LMHeadModel"), mt.LoraConfig(init_lora_weights=how))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "a.b", "_x", "train", "training", 3]
)
def test_names_that_are_none(name: Any) -> None:
    model = build("gpt2", "GPT2LMHeadModel")
    with pytest.raises(ValueError, match="name for an adapter"):
        mt.get_peft_model(model, mt.LoraConfig(), name)
    assert model.peft_config == {}


def test_modules_that_cannot_be_adapted() -> None:
    model = build("gpt2", "GPT2LMHeadModel")
    before = list(model.state_dict())
    with pytest.raises(ValueError, match=r"h\.0\.ln_1 is a LayerNorm"):
        mt.get_peft_model(model, mt.LoraConfig(target_modules=["c_attn", "ln_1"]))
    with pytest.raises(ValueError, match="lora_bias"):
        mt.get_peft_model(model, mt.LoraConfig(target_modules=["c_attn", "wte"], lora_bias=True))
    with pytest.raises(ValueError, match="olora"):
        mt.get_peft_model(model, mt.LoraConfig(init_lora_weights="olora"))
    assert list(model.state_dict()) == before
    mt.get_peft_model(model, mt.LoraConfig(target_modules=["c_attn", "lm_head"]))
    with pytest.raises(ValueError, match="lm_head: another adapter"):
        model.add_adapter(mt.LoraConfig(modules_to_save=["lm_head"]), "other")
    assert list(model.peft_config) == ["default"]
    with pytest.raises(ValueError, match="specify `target_modules`"):
        mt.get_peft_model(build("distilbert", "DistilBertModel"), mt.LoraConfig())


def test_a_second_adapter_with_biases() -> None:
    model = mt.get_peft_model(build("bert", "BertModel"), mt.LoraConfig())
    with pytest.raises(ValueError, match="set bias to 'none'"):
        model.add_adapter("other", mt.LoraConfig(bias="all"))


# On the Hub


def files(folder: str | Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.is_file()}


def test_an_adapter_on_the_hub(hub: Any, base: str, make_adapter: Any) -> None:
    commit = hub.add("org/base", files(base))
    adapter = files(make_adapter())
    values = json.loads(adapter["adapter_config.json"])
    values |= {"base_model_name_or_path": "org/base", "revision": commit}
    adapter["adapter_config.json"] = json.dumps(values).encode()
    hub.add("org/adapter", adapter)
    model = mt.AutoModelForSequenceClassification.from_pretrained("org/adapter")
    ids = np.array([[5, 6, 7]])
    wanted = mt.AutoModelForSequenceClassification.from_pretrained(make_adapter())(ids).logits
    np.testing.assert_array_equal(model(ids).logits, wanted)
    hub.requests.clear()
    mt.AutoPeftModelForSequenceClassification.from_pretrained("org/adapter")
    mt.AutoModel.from_pretrained("org/base", revision=commit)
    assert [r.path for r in hub.requests if "resolve" in r.path] == []


def test_an_adapter_is_looked_for_once(hub: Any, base: str) -> None:
    hub.add("org/base", files(base))
    mt.AutoModel.from_pretrained("org/base")
    assert sum("adapter_config.json" in r.path for r in hub.requests) == 1
    hub.requests.clear()
    mt.AutoModel.from_pretrained("org/base")
    assert not hub.requests


@pytest.mark.parametrize(
    "path", ["../../secret", "/etc", "~/model", "a/../b", "base", "./base", ""]
)
def test_a_stranger_does_not_choose_a_folder(
    path: str, hub: Any, base: str, make_adapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(base).parent)
    adapter = files(make_adapter())
    values = json.loads(adapter["adapter_config.json"]) | {"base_model_name_or_path": path}
    hub.add("org/adapter", adapter | {"adapter_config.json": json.dumps(values).encode()})
    with pytest.raises(ValueError, match=r"load the base model yourself"):
        mt.AutoModelForSequenceClassification.from_pretrained("org/adapter")
    own = mt.AutoModelForSequenceClassification.from_pretrained(base)
    mt.PeftModel.from_pretrained(own, "org/adapter")


def test_an_adapter_of_itself(make_adapter: Any) -> None:
    folder = Path(make_adapter())
    path = folder / "adapter_config.json"
    values = json.loads(path.read_text()) | {"base_model_name_or_path": str(folder)}
    path.write_text(json.dumps(values))
    with pytest.raises(OSError, match=r"config\.json"):
        mt.AutoModelForSequenceClassification.from_pretrained(folder)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_pushing_an_adapter(hub: Any, base: str, make_adapter: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    model = mt.AutoPeftModelForSequenceClassification.from_pretrained(make_adapter())
    model.push_to_hub("org/pushed", use_temp_dir=True)
    own = mt.AutoModelForSequenceClassification.from_pretrained(base)
    again = mt.PeftModel.from_pretrained(own, "org/pushed")
    ids = np.array([[5, 6, 7]])
    np.testing.assert_array_equal(again(ids).logits, model(ids).logits)
