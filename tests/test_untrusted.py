"""config.json of a stranger: one clear error, and no exhausted memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import CONFIGS, fill

from minitransformers import AutoConfig, AutoModel, BertConfig, BertModel
from minitransformers.checkpoints import read_safetensors, write_safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(BertModel(BertConfig(**CONFIGS["bert"]))).save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": 3}, r"config\.json: model_type must be a str, not 3"),
        ({"architectures": 3}, "architectures must be a list"),
        ({"id2label": [1]}, "id2label must be a dict"),
        ({"id2label": {"one": "x"}}, "makes no model: .*'one'"),
        ({"num_hidden_layers": 10**9}, "a model of 1000000000 blocks; at most 20000"),
        ({"num_hidden_layers": 999, "num_experts": 999}, "a model of 998001 blocks"),
        ({"id2label": None, "num_labels": 10**9}, "num_labels is 1000000000; at most 1000000"),
        ({"model_type": "llama", "head_dim": 2**32}, "head_dim is 4294967296; at most 16777216"),
        ({"model_type": "mpt", "n_heads": 2**20}, "n_heads is 1048576; at most 65536"),
        ({"hidden_size": "large"}, "makes no BertModel: TypeError"),
        ({"hidden_size": 0, "num_attention_heads": 0}, "makes no BertModel: ZeroDivisionError"),
        ({"num_hidden_layers": 50, "intermediate_size": 10**7}, "size mismatch"),
    ],
)
def test_a_broken_configuration_is_one_error(folder: Path, fields: dict, message: str) -> None:
    change(folder, **fields)
    with pytest.raises((ValueError, RuntimeError), match=message) as caught:
        AutoModel.from_pretrained(folder)
    assert str(folder) in str(caught.value)


def test_fresh_weights_have_a_bound(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = {name: tensor.numpy() for name, tensor in read_safetensors(path).items()}
    del weights["embeddings.word_embeddings.weight"]
    write_safetensors(path, weights)
    assert AutoModel.from_pretrained(folder)
    change(folder, vocab_size=10**7)
    with pytest.raises(ValueError, match=rf"{folder}: .* asks for \d+ weights that .* lacks"):
        AutoModel.from_pretrained(folder)


def test_text_that_is_no_json(folder: Path) -> None:
    for text in ("{", "[" * 100_000, "3", "\udcff"):
        (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(OSError, match=r"config\.json"):
            AutoConfig.from_pretrained(folder)
