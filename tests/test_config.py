"""Configurations: fields, names, files, and their printed form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from config_cases import CASES

import minitransformers
from minitransformers import AutoConfig, BertConfig, GenerationConfig, GPT2Config, PretrainedConfig

GOLDEN = json.loads((Path(__file__).parent / "golden" / "configs.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_printed_as_by_the_reference(name: str) -> None:
    kind, fields = CASES[name]
    config = getattr(minitransformers, kind)(**fields)
    assert config.to_json_string() == GOLDEN[name]["diff"]
    everything = json.loads(GOLDEN[name]["all"])
    everything.pop("_attn_implementation_autoset")  # torch's choice of kernel
    assert json.loads(config.to_json_string(use_diff=False)) == everything
    assert repr(config) == f"{kind} {GOLDEN[name]['diff']}"
    generation = GenerationConfig.from_model_config(config)
    assert generation.to_json_string() == GOLDEN[name]["generation"]


def test_names_of_other_architectures() -> None:
    config = GPT2Config(hidden_size=12, num_attention_heads=3)
    assert (config.n_embd, config.n_head) == (12, 3)
    assert config.hidden_size == 12
    config.num_hidden_layers = 5
    assert config.n_layer == 5
    with pytest.raises(AttributeError, match="GPT2Config has no field 'depth'"):
        _ = config.depth


def test_labels() -> None:
    config = BertConfig(num_labels=3)
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    config.id2label = {0: "NEGATIVE", 1: "POSITIVE"}
    assert config.num_labels == 2
    assert config.label2id["LABEL_2"] == 2  # assigned alone, as in the reference
    config.num_labels = 4
    assert len(config.label2id) == 4


def test_saved_and_read(tmp_path: Path) -> None:
    config = GPT2Config(n_embd=12, num_labels=5, foo="bar")
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert type(again) is GPT2Config
    assert again.to_dict() | {"_name_or_path": ""} == config.to_dict()
    overridden = AutoConfig.from_pretrained(tmp_path, activation_function="relu", num_labels=2)
    assert overridden.activation_function == "relu"
    assert overridden.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    config, unused = AutoConfig.from_pretrained(
        tmp_path, return_unused_kwargs=True, n_layer=3, whatever=1
    )
    assert config.n_layer == 3
    assert unused == {"whatever": 1}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"config\.json"):
        AutoConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(OSError, match="not valid JSON"):
        AutoConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "unheard"}')
    with pytest.raises(
        ValueError, match=r"unknown model type 'unheard'.*gpt2.*AutoConfig.register"
    ):
        AutoConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="Should have a `model_type` key"):
        AutoConfig.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="unknown model type 'bad'"):
        AutoConfig.for_model("bad")


def test_a_config_class_of_ones_own() -> None:
    class Mine(PretrainedConfig):
        model_type = "mine"

        def __init__(self, width: int = 8, **kwargs):
            self.width = width
            super().__init__(**kwargs)

    config = Mine(width=3, num_labels=4)
    assert (config.width, config.num_labels) == (3, 4)
    assert json.loads(config.to_json_string())["width"] == 3


def test_generation_config_files(tmp_path: Path) -> None:
    config = GenerationConfig(max_new_tokens=5, do_sample=True, top_p=0.9)
    config.save_pretrained(tmp_path)
    assert GenerationConfig.from_pretrained(tmp_path) == config
    assert GenerationConfig.from_pretrained(tmp_path, top_p=0.5).top_p == 0.5
    assert "max_new_tokens" in repr(config)
    with pytest.raises(ValueError, match="contradict each other.*temperature"):
        GenerationConfig(temperature=0.5).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="`early_stopping` must be"):
        GenerationConfig(early_stopping="sometimes")
