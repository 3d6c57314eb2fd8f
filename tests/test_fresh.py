"""Fresh weights of every head of every architecture: after the same seed, the reference's."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS

import minitransformers
from minitransformers.core.random import default_generator
from minitransformers.models import auto

UNTIED = {"tie_word_embeddings": False}
CROSSED = {"is_decoder": True, "add_cross_attention": True}
CASES: dict[str, tuple[str, dict]] = {
    name: (name, CONFIGS[kind])
    for kind, classes in auto.MODELS.items()
    if kind in CONFIGS
    for task, name in classes.items()
    if task != "config"
}
for name, how, more in (
    ("BertForMaskedLM", "untied", UNTIED),
    ("BertLMHeadModel", "crossed", CROSSED),
    ("BartForConditionalGeneration", "untied", UNTIED),
    ("GPT2LMHeadModel", "crossed", CROSSED),
    ("MarianMTModel", "untied", UNTIED),
    (
        "T5ForConditionalGeneration",
        "gated and untied",
        UNTIED | {"feed_forward_proj": "gated-gelu"},
    ),
):
    CASES[f"{name} {how}"] = (name, CASES[name][1] | more)


@functools.cache
def golden() -> Mapping[str, np.ndarray]:
    return np.load(Path(__file__).parent / "golden" / "fresh.npz")


def magnitudes(weights: Mapping[str, Any], names: list[str]) -> np.ndarray:
    return np.array([np.abs(weights[name], dtype=np.float64).sum() for name in names], np.float32)


@pytest.mark.parametrize("case", CASES)
def test_fresh_weights_are_the_references(case: str) -> None:
    if case not in golden():
        pytest.skip("an architecture of later references")
    name, fields = CASES[case]
    kind = getattr(minitransformers, name)
    minitransformers.set_seed(0)
    weights = kind(kind.config_class(**copy.deepcopy(fields))).state_dict()
    names, expected = str(golden()[f"{case}/names"]).split("\n"), golden()[case]
    known = [name in weights for name in names]  # not what is computed here
    got = magnitudes(weights, [name for name in names if name in weights])
    np.testing.assert_allclose(got, expected[:-1][known], rtol=1e-6)
    assert default_generator.rand(1)[0] == expected[-1]  # nothing more has been drawn
    assert sum(known) == len(weights)
