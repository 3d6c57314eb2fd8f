"""Gradients and training runs of every head, against the reference's."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import fill
from training_cases import OPTIMISER, SEED, dropouts, dropping, fingerprints, heads, losses

import minitransformers
from minitransformers.training.grad import value_and_grad
from minitransformers.training.optim import AdamW

GOLDEN = Path(__file__).parents[1] / "golden"
HEADS = {title: (name, fields, inputs) for title, name, fields, inputs in heads()}
DROPOUTS = {title: (name, fields, inputs) for title, name, fields, inputs in dropouts()}
TITLES = {name: title for title, (name, _, _) in HEADS.items()}
# a span that ends in padding, whose queries see nothing: implementations differ there
SEES_NOTHING = ("ModernBertForQuestionAnswering",)
# one head of each architecture, and the heads that have a dropout of their own
TRAINED = (
    "BertForMaskedLM", "BertForSequenceClassification", "GPT2LMHeadModel", "GPT2DoubleHeadsModel",
    "T5ForConditionalGeneration", "LlamaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM",
    "Gemma2ForCausalLM", "Phi3ForCausalLM", "StableLmForCausalLM", "GPTNeoForCausalLM",
    "GPTNeoXForCausalLM", "GPTJForCausalLM", "GPTBigCodeForCausalLM", "BloomForCausalLM",
    "FalconForCausalLM", "OPTForCausalLM", "DistilBertForMaskedLM",
    "RobertaForSequenceClassification", "MPNetForMaskedLM", "AlbertForMaskedLM",
    "ElectraForMultipleChoice", "DebertaForMaskedLM", "DebertaV2ForMaskedLM", "ConvBertForMaskedLM",
    "MobileBertForMaskedLM", "SqueezeBertForMaskedLM", "FNetForMaskedLM",
    "XLNetForSequenceClassification", "BartForConditionalGeneration",
    "BartForSequenceClassification", "PegasusForConditionalGeneration",
    "M2M100ForConditionalGeneration", "EncoderDecoderModel", "BigBirdForMaskedLM",
    "BigBirdPegasusForConditionalGeneration", "LongformerForMaskedLM",
    "LongformerForSequenceClassification", "LongformerForTokenClassification",
    "LongformerForQuestionAnswering", "LongformerForMultipleChoice", "LEDForConditionalGeneration",
    "LEDForSequenceClassification", "LEDForQuestionAnswering", "ProphetNetForConditionalGeneration",
    "ProphetNetForCausalLM", "ModernBertForMaskedLM", "ModernBertForSequenceClassification",
    "ModernBertForTokenClassification", "ModernBertForQuestionAnswering",
    "ModernBertForMultipleChoice",
)  # fmt: skip


def read(name: str) -> dict[str, dict]:
    """-> {title of a head: its loss, gradients by name, names without one, losses of a run}"""
    with np.load(GOLDEN / f"{name}.npz") as stored:
        told = json.loads(stored["heads"].tobytes().decode())
        gradients, runs, at = stored["gradients"], stored["losses"], 0
    for head, run in zip(told.values(), runs):
        names = head["gradients"]
        head["gradients"] = dict(zip(names, gradients[at : at + len(names)]))
        head["run"], at = run, at + len(names)
    return told


@pytest.fixture(scope="module")
def golden() -> dict[str, dict]:
    return read("training") | read("training_later") | read("training_dropouts")


def build(name: str, fields: dict) -> Any:
    kind = getattr(minitransformers, name)
    return fill(kind(kind.config_class(**copy.deepcopy(fields))))


@pytest.mark.parametrize("title", HEADS)
def test_gradients_equal_the_references(title: str, golden: Any) -> None:
    name, fields, inputs = HEADS[title]
    if name in SEES_NOTHING:
        pytest.skip("queries that see nothing differ")
    compare(build(name, fields), inputs, golden[title])


@pytest.mark.parametrize("title", DROPOUTS)
def test_gradients_with_dropout_equal_the_references(title: str, golden: Any) -> None:
    name, fields, inputs = DROPOUTS[title]
    model = build(name, fields).train()
    minitransformers.set_seed(SEED)
    compare(model, inputs, golden[title])


def compare(model: Any, inputs: dict, wanted: dict) -> None:
    """The loss and its gradients with what the reference's are told to be."""
    value, gradients = value_and_grad(model)(**inputs)
    assert value == pytest.approx(wanted["loss"], rel=1e-5, abs=1e-5)
    learned = {n for n, p in model.named_parameters() if p.requires_grad}
    assert learned == wanted["gradients"].keys() | set(wanted["none"])
    assert all(g.dtype == np.float32 for g in gradients.values())
    found = fingerprints(gradients)
    # a bias that moves no probability has a gradient of what rounding leaves
    least = max(1e-2, 1e-2 * max(float(g[0]) for g in wanted["gradients"].values()))
    for n, fingerprint in wanted["gradients"].items():
        scale = max(float(fingerprint[0]), least)
        got = found.get(n, np.zeros(3, np.float32))
        np.testing.assert_allclose(got, fingerprint, rtol=0, atol=3e-4 * scale, err_msg=n)
    for n in set(wanted["none"]) & set(found):
        assert found[n][0] == 0.0, n


@pytest.mark.parametrize("name", TRAINED)
def test_ten_steps_with_dropout_equal_the_references(name: str, golden: Any) -> None:
    title = TITLES[name]
    _, fields, inputs = HEADS[title]
    config = getattr(minitransformers, name).config_class(**copy.deepcopy(fields))
    run(name, fields | dropping(config), inputs, golden[title])


@pytest.mark.parametrize("title", DROPOUTS)
def test_masks_of_other_layouts_are_drawn_in_the_references_order(title: str, golden: Any) -> None:
    run(*DROPOUTS[title], golden[title])


def run(name: str, fields: dict, inputs: dict, wanted: dict) -> None:
    """Train from the seed, and compare the losses with the reference's."""
    model = build(name, fields).train()
    optimiser = AdamW(model.parameters(), **OPTIMISER)
    minitransformers.set_seed(SEED)
    np.testing.assert_allclose(losses(model, optimiser, inputs), wanted["run"], rtol=1e-4)
