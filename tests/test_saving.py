"""save_pretrained: which files, what is in them, and that they come back."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from saving_cases import CASES
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import (
    AutoModelForCausalLM,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    T5ForConditionalGeneration,
)
from minitransformers.checkpoints import TORCH, read_safetensors, save_sharded

GOLDEN = json.loads((Path(__file__).parent / "golden" / "saving.json").read_text())
IDS = np.array([[5, 6, 7, 8]])


def build(name: str, kind: str):
    made = getattr(minitransformers, name)
    return fill(made(made.config_class(**CONFIGS[kind])))


@pytest.fixture
def gpt2() -> GPT2LMHeadModel:
    return build("GPT2LMHeadModel", "gpt2")


def bits(model) -> dict[str, bytes]:
    return {name: np.asarray(x).tobytes() for name, x in model.state_dict().items()}


@pytest.mark.parametrize("case", CASES)
def test_files_are_the_references(tmp_path, case: str) -> None:
    name, kind, how = CASES[case]
    model = build(name, kind)
    model.save_pretrained(tmp_path, **how)
    assert sorted(os.listdir(tmp_path)) == GOLDEN[case]["files"]
    indexes = [json.loads(path.read_text()) for path in tmp_path.glob("*.index*.json")]
    assert indexes == GOLDEN[case]["indexes"]
    again = type(model).from_pretrained(tmp_path, variant=how.get("variant"))
    assert bits(again) == bits(model)


def test_tied_arrays_are_stored_once_in_torchs_format(tmp_path) -> None:
    model = build("BertForMaskedLM", "bert")
    model.save_pretrained(tmp_path, safe_serialization=False)
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin") as archive:
        storages = [entry for entry in archive.infolist() if "/data/" in entry.filename]
    assert len(storages) == len({id(x) for x in model.state_dict().values()})
    assert all(entry.compress_type == zipfile.ZIP_STORED for entry in storages)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("safe", [True, False])
def test_half_precision_stays_half(tmp_path, gpt2, dtype, safe) -> None:
    gpt2.to(dtype).save_pretrained(tmp_path, safe_serialization=safe, max_shard_size="20KB")
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == dtype
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.get_memory_footprint() < 3 * gpt2.num_parameters()
    assert bits(again) == bits(gpt2)
    np.testing.assert_array_equal(again(IDS).logits, gpt2(IDS).logits)


def test_a_function_of_ones_own(tmp_path, gpt2) -> None:
    written = {}
    gpt2.half().save_pretrained(
        tmp_path,
        safe_serialization=False,
        save_function=lambda shard, path: written.setdefault(os.path.basename(path), shard),
    )
    assert written.keys() == {"pytorch_model.bin"}
    assert all(isinstance(x, np.ndarray) for x in written["pytorch_model.bin"].values())
    assert written["pytorch_model.bin"].keys() == gpt2.state_dict().keys()


def test_only_the_main_process_writes_configurations(tmp_path, gpt2) -> None:
    (tmp_path / "model-00001-of-00009.safetensors").touch()
    gpt2.save_pretrained(tmp_path, is_main_process=False)
    assert sorted(os.listdir(tmp_path)) == ["model-00001-of-00009.safetensors", "model.safetensors"]
    gpt2.save_pretrained(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [
        *("config.json", "generation_config.json", "model.safetensors")
    ]


def test_other_weights(tmp_path, gpt2) -> None:
    weights = {name: x + 1 for name, x in gpt2.state_dict().items()}
    gpt2.save_pretrained(tmp_path, state_dict=weights)
    stored = read_safetensors(tmp_path / "model.safetensors")
    assert stored.keys() == weights.keys()  # a head that is not the table is kept
    np.testing.assert_array_equal(stored["lm_head.weight"].numpy(), weights["lm_head.weight"])
    gpt2.save_pretrained(tmp_path, state_dict={"lm_head.weight": weights["lm_head.weight"]})
    assert read_safetensors(tmp_path / "model.safetensors").keys() == {"lm_head.weight"}


def test_saving_over_what_was_loaded(tmp_path, gpt2) -> None:
    gpt2.save_pretrained(tmp_path)
    for _ in range(2):
        model = AutoModelForCausalLM.from_pretrained(tmp_path)
        model.save_pretrained(tmp_path, max_shard_size="8KB")
        model.save_pretrained(tmp_path)
        assert bits(model) == bits(gpt2)
    assert bits(AutoModelForCausalLM.from_pretrained(tmp_path)) == bits(gpt2)


def test_a_failure_leaves_what_was_there(tmp_path, gpt2) -> None:
    gpt2.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = {"transformer.wte.weight": np.array(["text"], object)}
    for safe in (True, False):
        with pytest.raises(ValueError, match=r"transformer\.wte\.weight"):
            gpt2.save_pretrained(tmp_path, state_dict=broken, safe_serialization=safe)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_layers_that_share_weights_are_written_whole(tmp_path) -> None:
    model = build("BertForMaskedLM", "bert")
    layers = model.bert.encoder.layer
    layers[1].intermediate.dense.weight = layers[0].intermediate.dense.weight
    for safe in (True, False):
        model.save_pretrained(tmp_path / str(safe), safe_serialization=safe)
        assert bits(BertForMaskedLM.from_pretrained(tmp_path / str(safe))) == bits(model)


def test_generation_parameters_set_on_the_configuration_are_saved(tmp_path) -> None:
    model = build("T5ForConditionalGeneration", "t5")
    model.generation_config.num_beams = 3
    model.save_pretrained(tmp_path)
    assert T5ForConditionalGeneration.from_pretrained(tmp_path).generation_config.num_beams == 3


@pytest.mark.parametrize("variant", ["../up", "a/b", "", ".", "a b"])
def test_a_variant_is_a_part_of_a_name(tmp_path, gpt2, variant) -> None:
    if variant:
        with pytest.raises(ValueError, match="variant="):
            gpt2.save_pretrained(tmp_path / "x", variant=variant)
    else:
        gpt2.save_pretrained(tmp_path, variant=variant)
        assert (tmp_path / "model.safetensors").exists()


def test_dtypes_that_torch_lacks(tmp_path) -> None:
    with pytest.raises(ValueError, match="torch has no uint16, as tensor 'x' has"):
        save_sharded(tmp_path, {"x": np.zeros(2, np.uint16)}, layout=TORCH)
    assert not os.listdir(tmp_path)


@pytest.mark.oracle
def test_torch_reads_what_we_write(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    weights = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "turned": np.arange(12.0).reshape(3, 4).T,
        "scalar": np.array(3.5, np.float16),
        "empty": np.zeros((0, 3), np.int64),
        "swapped": np.arange(3, dtype=">f4"),
        "flags": np.array([True, False]),
    }
    weights["tied"] = weights["a"]
    path, = save_sharded(tmp_path, weights, layout=TORCH)  # fmt: skip
    for how in ({}, {"mmap": True}):
        loaded = torch.load(path, weights_only=True, **how)
        assert loaded["tied"].data_ptr() == loaded["a"].data_ptr()
        for name, array in weights.items():
            np.testing.assert_array_equal(loaded[name].numpy(), array)
    GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"])).bfloat16().save_pretrained(
        tmp_path, safe_serialization=False
    )
    loaded = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    assert loaded["lm_head.weight"].dtype == torch.bfloat16
