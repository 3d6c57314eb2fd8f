"""prune_heads, and checkpoints of which heads were left out, against the reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pruning_cases import IDS, NAMES, PRUNED, heads_of
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import (
    BertConfig,
    BertModel,
    EncoderDecoderModel,
    GPT2LMHeadModel,
    LoraConfig,
    MPNetModel,
    get_peft_model,
)

GOLDEN = np.load(Path(__file__).parent / "golden" / "pruning.npz")


def build(name: str):
    kind = getattr(minitransformers, name)
    return fill(kind(kind.config_class(**CONFIGS[kind.config_class.model_type])))


@pytest.mark.parametrize("name", NAMES)
def test_pruned_saved_and_loaded_as_the_reference_does(name: str, tmp_path: Path) -> None:
    model = build(name)
    heads = heads_of(model)
    model.prune_heads(heads)
    wanted = GOLDEN[f"{name}/answer"]
    np.testing.assert_allclose(model(IDS)[0], wanted, atol=1e-5, rtol=1e-4)
    assert model.num_parameters() == GOLDEN[f"{name}/parameters"]
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["pruned_heads"] == {
        str(layer): numbers for layer, numbers in heads.items()
    }
    again, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert again.config.pruned_heads == heads
    np.testing.assert_array_equal(again(IDS)[0], model(IDS)[0])


def test_numbers_are_those_of_all_heads_and_add_up(tmp_path: Path) -> None:
    at_once, in_turns = build("BertModel"), build("BertModel")
    at_once.prune_heads(PRUNED)
    in_turns.prune_heads({1: [0]})
    in_turns.save_pretrained(tmp_path)
    in_turns = BertModel.from_pretrained(tmp_path)
    in_turns.prune_heads({0: [1], 1: [2, 0]})
    np.testing.assert_array_equal(in_turns(IDS)[0], at_once(IDS)[0])
    assert in_turns.config.pruned_heads == {1: [0, 2], 0: [1]}


def test_fresh_trained_quantised_and_decoding() -> None:
    model = build("GPT2LMHeadModel")
    model.prune_heads(PRUNED)
    whole = [row[None] for row in model.generate(IDS, max_new_tokens=5)]
    for row in whole:  # keys and values of layers with different heads in one cache
        np.testing.assert_array_equal(model.generate(row[:, :6], max_new_tokens=5), row)
        assert (model(row).logits.argmax(-1)[:, 5:-1] == row[:, 6:]).all()
    fresh = GPT2LMHeadModel(model.config)
    assert fresh.num_parameters() == model.num_parameters()
    model.train()(IDS, labels=IDS).loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_weights_in_fewer_bits_lose_heads_too(tmp_path: Path) -> None:
    model = build("BertModel")
    model.save_pretrained(tmp_path)
    model.prune_heads(PRUNED)
    small = BertModel.from_pretrained(tmp_path, load_in_8bit=True)
    small.prune_heads(PRUNED)
    assert np.abs(small(IDS)[0] - model(IDS)[0]).max() < 0.1


@pytest.mark.parametrize(
    ("heads", "why"),
    [
        ({7: [0]}, "there are 2 layers, and no 7"),
        ({0: [3]}, "layer 0 has 3 heads, and no 3"),
        ({0: [-1]}, "layer 0 has 3 heads, and no -1"),
        ({0: [1], 1: [0, 1, 2]}, "layer 1 would have no head left"),
    ],
)
def test_heads_that_cannot_go(heads: dict, why: str, tmp_path: Path) -> None:
    model = build("BertModel")
    before = model(IDS)[0]
    with pytest.raises(ValueError, match=why):
        model.prune_heads(heads)
    np.testing.assert_array_equal(model(IDS)[0], before)
    assert model.config.pruned_heads == {}
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pruned_heads": heads}))
    with pytest.raises(ValueError, match=f"{tmp_path}.*{why}"):
        BertModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("heads", [[1], "all", {"first": [0]}, {"0": 1}, {"0": ["a"]}])
def test_broken_lists_of_heads_are_told(heads, tmp_path: Path) -> None:
    build("BertModel").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pruned_heads": heads}))
    with pytest.raises(ValueError, match=str(tmp_path)):
        BertModel.from_pretrained(tmp_path)


def test_a_part_of_a_larger_model(tmp_path: Path) -> None:
    model = build("BertModel")
    model.prune_heads(PRUNED)
    model.save_pretrained(tmp_path / "encoder")
    build("GPT2LMHeadModel").save_pretrained(tmp_path / "decoder")
    both = EncoderDecoderModel.from_encoder_decoder_pretrained(
        tmp_path / "encoder", tmp_path / "decoder"
    )
    both.save_pretrained(tmp_path / "both")
    again = EncoderDecoderModel.from_pretrained(tmp_path / "both")
    assert again.encoder.config.pruned_heads == PRUNED
    np.testing.assert_array_equal(again.encoder(IDS)[0], model(IDS)[0])


def test_who_cannot_be_pruned() -> None:
    with pytest.raises(ValueError, match="MPNetModel cannot do without"):
        MPNetModel(MPNetModel.config_class(**CONFIGS["mpnet"])).prune_heads({0: [1]})
    adapted = get_peft_model(BertModel(BertConfig(**CONFIGS["bert"])), LoraConfig(r=2))
    with pytest.raises(ValueError, match=r"layer 0 has an adapter around self.query"):
        adapted.get_base_model().prune_heads({0: [1]})
