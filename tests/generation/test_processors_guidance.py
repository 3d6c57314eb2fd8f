"""Classifier-free guidance: the other text is decoded beside the one generated."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from minitransformers.generation.processors import UnbatchedClassifierFreeGuidanceLogitsProcessor

VOCAB = 6


class Model:
    """Its logits are the last token, times 0, 1, 2, ... It notes the texts it is given."""

    inputs = ("input_ids", "attention_mask", "position_ids")

    def __init__(self, is_encoder_decoder=False):
        self.config = SimpleNamespace(is_encoder_decoder=is_encoder_decoder)
        self.texts: list = []

    def start(self, inputs, prompt, use_cache=True):
        self.given = inputs
        return self

    def step(self, ids):
        self.texts.append(ids.tolist())
        return {"logits": (ids[..., None] * np.arange(VOCAB)).astype(np.float32)}


def log_softmax(x):
    x = np.asarray(x, np.float64)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_the_other_text_grows_with_what_is_generated(rng):
    model = Model()
    guided = UnbatchedClassifierFreeGuidanceLogitsProcessor(2.5, model)
    scores = rng.normal(size=(1, VOCAB)).astype(np.float32)
    for ids, other in (([[5, 4, 3]], [[3]]), ([[5, 4, 3, 1]], [[3, 1]])):
        got = guided(np.array(ids), scores)
        expected = log_softmax(scores), log_softmax(other[0][-1] * np.arange(VOCAB))
        want = 2.5 * (expected[0] - expected[1]) + expected[1]
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
        assert got.dtype == np.float32
        assert model.texts[-1] == other


def test_a_negative_prompt_serves_every_row(rng):
    model = Model()
    mask = np.array([[0, 1, 1]])
    guided = UnbatchedClassifierFreeGuidanceLogitsProcessor(1.5, model, np.array([[0, 1, 2]]), mask)
    guided(np.array([[1], [3]]), rng.normal(size=(2, VOCAB)).astype(np.float32))
    assert model.texts == [[[0, 1, 2], [0, 1, 2]]]
    assert model.given["attention_mask"].tolist() == [[0, 1, 1]] * 2
    assert model.given["position_ids"].tolist() == [[0, 1, 2]] * 2


def test_a_scale_of_one_asks_nothing():
    model = Model()
    got = UnbatchedClassifierFreeGuidanceLogitsProcessor(1, model)(
        np.array([[1]]), np.zeros((1, VOCAB), np.float32)
    )
    np.testing.assert_allclose(got, -np.log(VOCAB), rtol=1e-6)
    assert model.texts == []


def test_what_cannot_be_guided():
    with pytest.raises(ValueError, match="encoder"):
        UnbatchedClassifierFreeGuidanceLogitsProcessor(2.0, Model(is_encoder_decoder=True))
    rows = np.zeros((2, 3), np.int64)
    guided = UnbatchedClassifierFreeGuidanceLogitsProcessor(2.0, Model(), rows)
    with pytest.raises(ValueError, match="negative_prompt_ids"):
        guided(np.zeros((3, 1), np.int64), np.zeros((3, VOCAB), np.float32))
