"""Watermarks, and their detection."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minitransformers.core.random import Generator
from minitransformers.generation import processors as p

CASES = json.loads((Path(__file__).parents[1] / "golden" / "stopping.json").read_text())


def config(vocab: int, bos: int = 1) -> SimpleNamespace:
    return SimpleNamespace(
        bos_token_id=bos, decoder_start_token_id=2, is_encoder_decoder=False, vocab_size=vocab
    )


@pytest.mark.parametrize("vocab", [7, 64, 1000])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.95])
def test_green_lists_begin_a_random_permutation(vocab, ratio):
    marks = p.WatermarkLogitsProcessor(vocab, greenlist_ratio=ratio)
    for seed in range(5):
        green = set(Generator(seed).randperm(vocab)[: int(vocab * ratio)].tolist())
        assert set(marks.greenlist(seed).tolist()) == green
        for token in range(0, vocab, max(vocab // 40, 1)):
            assert marks.is_green(seed, token) == (token in green)


@pytest.mark.parametrize("case", CASES["detector"])
def test_detector_golden(case):
    parameters, ids, vocab = case["given"]
    made = p.WatermarkingConfig(**parameters)
    detector = p.WatermarkDetector(config(vocab), "cpu", made)
    if isinstance(case["expected"], dict):
        with pytest.raises(ValueError, match="context_width"):
            detector(np.array(ids))
        return
    out = detector(np.array(ids), return_dict=True)
    np.testing.assert_allclose(list(vars(out).values()), case["expected"])


def test_repeated_ngrams_can_count_once():
    ids = np.array([[3, 4] * 6 + [5]])
    marks = p.WatermarkingConfig()
    for ignore, scored in ((False, 12), (True, 3)):
        detector = p.WatermarkDetector(config(50), "cpu", marks, ignore_repeated_ngrams=ignore)
        assert detector(ids, return_dict=True).num_tokens_scored == [scored]


@pytest.mark.parametrize(("scheme", "width"), [("lefthash", 1), ("selfhash", 2)])
def test_a_marked_text_is_detected(rng, scheme, width):
    marks = p.WatermarkingConfig(bias=6.0, seeding_scheme=scheme, context_width=width)
    processor = marks.construct_processor(80)
    ids = np.array([[3, 4], [5, 6]])
    for _ in range(40):
        scores = rng.normal(size=(2, 80)).astype(np.float32)
        ids = np.concatenate([ids, processor(ids, scores).argmax(-1)[:, None]], axis=1)
    detector = p.WatermarkDetector(config(80), "cpu", marks)
    assert detector(ids).tolist() == [True, True]
    assert detector(rng.integers(0, 80, (2, 40))).tolist() == [False, False]


def test_a_short_text_is_not_marked_yet(caplog):
    processor = p.WatermarkLogitsProcessor(50, context_width=3)
    scores = np.zeros((1, 50), np.float32)
    assert processor(np.array([[1, 2]]), scores) is scores
    assert "context_width" in caplog.text


def test_configurations_are_written_and_read(tmp_path):
    marks = p.WatermarkingConfig.from_dict({"bias": 2.5}, context_width=2)
    assert dict(marks) == marks.to_dict()
    assert marks.to_dict() == {
        "greenlist_ratio": 0.25,
        "bias": 2.5,
        "hashing_key": 15485863,
        "seeding_scheme": "lefthash",
        "context_width": 2,
    }
    marks.to_json_file(tmp_path / "marks.json")
    assert json.loads((tmp_path / "marks.json").read_text()) == marks.to_dict()
    assert repr(marks).startswith("WatermarkingConfig {")
    tournament = p.SynthIDTextWatermarkingConfig(ngram_len=5, keys=[1, 2])
    assert type(tournament.construct_processor(50)) is p.SynthIDTextWatermarkLogitsProcessor


@pytest.mark.parametrize(
    ("marks", "name"),
    [
        (p.WatermarkingConfig(seeding_scheme="left"), "seeding_scheme"),
        (p.WatermarkingConfig(greenlist_ratio=1.5), "greenlist_ratio"),
        (p.WatermarkingConfig(context_width=0), "context_width"),
        (p.SynthIDTextWatermarkingConfig(5, [1], sampling_table_size=2**25), "sampling_table_size"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_configurations_that_cannot_work(marks, name):
    with pytest.raises(ValueError, match=name):
        marks.validate()


def synthid(**how) -> p.SynthIDTextWatermarkLogitsProcessor:
    parameters = {"ngram_len": 3, "keys": [5, 6], "sampling_table_size": 64}
    parameters |= {"sampling_table_seed": 0, "context_history_size": 8}
    return p.SynthIDTextWatermarkLogitsProcessor(**parameters | how)


def test_synthid_reads_texts_as_the_reference(rng):
    """Values from transformers 4.46.3."""
    expected = [[[1, 0], [0, 1], [1, 1], [1, 0], [0, 0], [0, 0]]]
    marks, ids = synthid(), np.array([[1, 2, 3, 1, 2, 3, 9, 4]])
    assert marks.compute_g_values(ids).tolist() == expected
    assert marks.compute_context_repetition_mask(ids).tolist() == [[1, 1, 1, 0, 0, 1]]
    assert marks.compute_eos_token_mask(ids, 9).tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]]
    assert marks.expected_mean_g_value(4) == 0.6875
    with pytest.raises(ValueError, match="input_ids"):
        marks.compute_g_values(ids[0])
    with pytest.raises(ValueError, match="ngrams"):
        marks.compute_ngram_keys(np.zeros((1, 2, 4), np.int64))
