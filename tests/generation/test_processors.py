"""Logits processors alone: against the reference's answers, and what they promise besides."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from golden.processor_cases import Neighbours

from minitransformers.generation import processors as p
from minitransformers.generation import warpers
from minitransformers.generation.config import GenerationConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "processors.npz"
INFINITY = np.float32(np.inf)


def read_argument(x):
    if not isinstance(x, dict):
        return x
    if "neighbours" in x:
        return Neighbours(*x["neighbours"])
    if "items" in x:
        return {tuple(key): value for key, value in x["items"]}
    return tuple(x["tuple"])


def golden() -> list:
    with np.load(GOLDEN) as file:
        cases = json.loads(file["cases"].tobytes())
        flat = {"given": file["given"], "expected": file["expected"]}
    at = {"given": 0, "expected": 0}
    for case in cases:
        for step in case["steps"]:
            for name, shape in zip(at, step["shapes"]):
                size = math.prod(shape)
                step[name] = flat[name][at[name] : at[name] + size].reshape(shape)
                at[name] += size
    return cases


def ids_of(length: int = 5, rows: int = 2) -> np.ndarray:
    return np.arange(rows * length).reshape(rows, length) % 7


@pytest.mark.parametrize("head", [warpers._HEAD, 3])
@pytest.mark.parametrize("case", golden(), ids=lambda case: case["name"])
def test_golden(case, head, monkeypatch):
    monkeypatch.setattr(warpers, "_HEAD", head)
    arguments = {name: read_argument(x) for name, x in case["arguments"].items()}
    for name in ("encoder_input_ids",):
        if name in arguments:
            arguments[name] = np.array(arguments[name])
    processor = getattr(p, case["class"])(**arguments)
    for step in case["steps"]:
        ids, scores = np.array(step["ids"]), step["given"].copy()
        got = processor(ids, scores, *map(np.array, step["more"]))
        assert got.dtype == np.float32
        expected = step["expected"]
        if case["name"] == "synthid":  # unlikely tokens have few digits after a tournament
            got, expected = np.exp(got), np.exp(expected)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
        np.testing.assert_array_equal(scores, step["given"])  # not written to
        np.testing.assert_array_equal(ids, step["ids"])


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("TemperatureLogitsWarper", {"temperature": 0.0}, "do_sample=False"),
        ("TemperatureLogitsWarper", {"temperature": 1}, "temperature"),
        ("TopKLogitsWarper", {"top_k": 0}, "top_k"),
        ("TopKLogitsWarper", {"top_k": 2.0}, "top_k"),
        ("TopPLogitsWarper", {"top_p": 1.2}, "top_p"),
        ("TopPLogitsWarper", {"top_p": 0.5, "min_tokens_to_keep": 0}, "min_tokens_to_keep"),
        ("MinPLogitsWarper", {"min_p": -0.1}, "min_p"),
        ("TypicalLogitsWarper", {"mass": 1.0}, "typical_p"),
        ("EpsilonLogitsWarper", {"epsilon": 0.0}, "epsilon_cutoff"),
        ("EtaLogitsWarper", {"epsilon": 1.0}, "eta_cutoff"),
        ("TopHLogitsWarper", {"top_h": 0.0}, "top_h"),
        ("RepetitionPenaltyLogitsProcessor", {"penalty": 0.0}, "penalty"),
        ("NoRepeatNGramLogitsProcessor", {"ngram_size": 0}, "ngram_size"),
        ("SequenceBiasLogitsProcessor", {"sequence_bias": {}}, "sequence_bias"),
        ("SequenceBiasLogitsProcessor", {"sequence_bias": {(1,): 2}}, "float"),
        ("SequenceBiasLogitsProcessor", {"sequence_bias": {(): 2.0}}, "non-empty"),
        ("SequenceBiasLogitsProcessor", {"sequence_bias": [[[1]]]}, "token ids, bias"),
        ("NoBadWordsLogitsProcessor", {"bad_words_ids": []}, "bad_words_ids"),
        ("NoBadWordsLogitsProcessor", {"bad_words_ids": [3]}, "bad_words_ids"),
        ("NoBadWordsLogitsProcessor", {"bad_words_ids": [[-3]]}, "-3"),
        ("MinLengthLogitsProcessor", {"min_length": -1, "eos_token_id": 0}, "min_length"),
        ("ForcedEOSTokenLogitsProcessor", {"max_length": 3, "eos_token_id": -1}, "eos_token_id"),
        ("ClassifierFreeGuidanceLogitsProcessor", {"guidance_scale": 1.0}, "guidance_scale"),
    ],
)
def test_arguments_that_cannot_work(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(p, kind)(**arguments)


def test_ids_outside_the_vocabulary_are_named():
    biased = p.SequenceBiasLogitsProcessor({(3, 11): 1.0})
    with pytest.raises(ValueError, match=r"size is 7.*\[11\]"):
        biased(ids_of(), np.zeros((2, 7), np.float32))


def test_ends_outside_the_vocabulary_are_passed_over():
    scores = np.zeros((2, 7), np.float32)
    kept = p.MinLengthLogitsProcessor(9, [-1, 700])(ids_of(), scores)
    np.testing.assert_array_equal(kept, scores)


def test_a_bias_applies_the_same_at_every_step():
    biased = p.SequenceBiasLogitsProcessor({(0, 1): 1.5, (4,): 1.0})
    ids, scores = np.zeros((1, 3), np.int64), np.zeros((1, 6), np.float32)
    for _ in range(3):
        assert biased(ids, scores).tolist() == [[0, 1.5, 0, 0, 1, 0]]
    assert biased(np.ones((1, 3), np.int64), scores).tolist() == [[0, 0, 0, 0, 1, 0]]


def test_bad_words_that_only_end_the_text_are_allowed():
    scores = np.zeros((2, 7), np.float32)
    nothing = p.NoBadWordsLogitsProcessor([[5]], eos_token_id=5)(ids_of(), scores)
    np.testing.assert_array_equal(nothing, scores)


def test_nothing_allowed_is_an_error():
    constrained = p.PrefixConstrainedLogitsProcessor(lambda example, ids: [], 2)
    with pytest.raises(ValueError, match="batch ID 0"):
        constrained(ids_of(), np.zeros((2, 7), np.float32))


def test_top_h_spends_a_share_of_the_entropy(rng):
    scores = (rng.normal(size=(4, 150)) * 3).astype(np.float32)
    got = p.TopHLogitsWarper(0.6)(ids_of(rows=4), scores)
    for row, kept in zip(scores.astype(np.float64), got):
        top = np.sort(row)[::-1][:100]
        q = np.exp(top) / np.exp(top).sum()
        terms = -q * np.log(q)
        expected = max(1, int((terms.cumsum() <= 0.6 * terms.sum()).sum()))
        assert np.isfinite(kept).sum() == expected
        assert set(np.flatnonzero(np.isfinite(kept))) == set(np.argsort(-row)[:expected])


def test_top_h_keeps_the_first_of_equal_scores():
    got = p.TopHLogitsWarper(0.305)(ids_of(rows=1), np.zeros((1, 120), np.float32))
    assert np.flatnonzero(np.isfinite(got)).tolist() == list(range(30))


@pytest.mark.parametrize("kind", [p.EtaLogitsWarper, p.TopHLogitsWarper])
def test_no_distribution_is_an_error_where_entropy_counts(kind):
    scores = np.full((2, 9), -INFINITY)
    scores[0] = 0.0
    with pytest.raises(ValueError, match=r"row 1.*remove_invalid_values"):
        kind(0.5)(ids_of(), scores)


@pytest.mark.parametrize(
    "warper",
    [
        p.TopPLogitsWarper(0.7),
        p.MinPLogitsWarper(0.2, min_tokens_to_keep=3),
        p.TypicalLogitsWarper(0.7, min_tokens_to_keep=2),
        p.EpsilonLogitsWarper(0.05),
        p.EtaLogitsWarper(0.1),
    ],
    ids=lambda w: type(w).__name__,
)
def test_few_columns_left_by_top_k_give_what_all_would(warper, rng):
    ids, scores = ids_of(rows=3), rng.normal(size=(3, 90)).astype(np.float32)
    few = p.TopKLogitsWarper(6)(ids, scores)
    expected = np.where(warper.removes(few), -INFINITY, few)
    np.testing.assert_array_equal(warper(ids, few), expected)


class Twice(p.LogitsProcessor):
    def __call__(self, input_ids, scores):
        return scores * 2


class Shifted(p.LogitsProcessor):
    def __call__(self, input_ids, scores, shift):
        return scores + shift


def test_a_list_gives_more_arguments_to_those_that_take_them():
    ids, scores = ids_of(), np.ones((2, 3), np.float32)
    both = p.LogitsProcessorList([Twice(), Shifted(), lambda ids, scores: scores])
    assert both(ids, scores, shift=np.float32(3)).tolist() == [[5, 5, 5]] * 2
    with pytest.raises(ValueError, match=r"Shifted.*shift"):
        both(ids, scores)


class Lenient(p.LogitsProcessor):
    def __call__(self, input_ids, scores, shift=1, **kwargs):
        return scores + np.float32(shift)


def test_arguments_with_defaults_need_not_be_given():
    ids, scores = ids_of(), np.ones((2, 3), np.float32)
    assert p.LogitsProcessorList([Lenient()])(ids, scores).tolist() == [[2, 2, 2]] * 2


def test_base_classes_are_abstract(caplog):
    with pytest.raises(NotImplementedError, match="LogitsProcessor"):
        p.LogitsProcessor()(ids_of(), np.zeros((2, 3)))
    p.LogitsWarper()
    assert "deprecated" in caplog.text


def build(custom=(), eos=(2,), source=None, **parameters):
    built = p.build_processors(
        GenerationConfig(**parameters),
        prompt_length=3,
        eos=None if eos is None else np.array(eos),
        encoder_input_ids=source,
        custom=custom,
        guidance=lambda: Shifted(),
        vocab_size=50,
        prefix_allowed_tokens_fn=parameters.get("prefix"),
    )
    return [type(x).__name__ for x in built]


def test_everything_in_the_references_order():
    names = build(
        custom=[Twice()],
        source=np.zeros((1, 4), np.int64),
        guidance_scale=1.5,
        sequence_bias={(1,): 1.0},
        diversity_penalty=0.5,
        num_beams=4,
        num_beam_groups=2,
        encoder_repetition_penalty=1.5,
        repetition_penalty=1.5,
        no_repeat_ngram_size=2,
        encoder_no_repeat_ngram_size=2,
        bad_words_ids=[[1]],
        min_length=5,
        min_new_tokens=2,
        prefix=lambda example, ids: [1],
        forced_bos_token_id=1,
        forced_eos_token_id=1,
        remove_invalid_values=True,
        exponential_decay_length_penalty=(1, 1.5),
        suppress_tokens=[1],
        begin_suppress_tokens=[1],
        watermarking_config={"bias": 1.0},
        do_sample=True,
        temperature=0.5,
        top_k=5,
        top_p=0.9,
        min_p=0.1,
        top_h=0.5,
        typical_p=0.9,
        epsilon_cutoff=0.1,
        eta_cutoff=0.1,
        renormalize_logits=True,
    )
    assert names == [
        "Shifted",
        "SequenceBiasLogitsProcessor",
        "HammingDiversityLogitsProcessor",
        "EncoderRepetitionPenaltyLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor",
        "NoRepeatNGramLogitsProcessor",
        "EncoderNoRepeatNGramLogitsProcessor",
        "NoBadWordsLogitsProcessor",
        "MinLengthLogitsProcessor",
        "MinNewTokensLengthLogitsProcessor",
        "PrefixConstrainedLogitsProcessor",
        "ForcedBOSTokenLogitsProcessor",
        "ForcedEOSTokenLogitsProcessor",
        "InfNanRemoveLogitsProcessor",
        "ExponentialDecayLengthPenalty",
        "SuppressTokensLogitsProcessor",
        "SuppressTokensAtBeginLogitsProcessor",
        "WatermarkLogitsProcessor",
        "Twice",
        "TemperatureLogitsWarper",
        "TopKLogitsWarper",
        "TopPLogitsWarper",
        "MinPLogitsWarper",
        "TopHLogitsWarper",
        "TypicalLogitsWarper",
        "EpsilonLogitsWarper",
        "EtaLogitsWarper",
        "LogitNormalization",
    ]


def test_defaults_ask_for_nothing_but_top_k_in_sampling():
    assert build() == []
    assert build(do_sample=True) == ["TopKLogitsWarper"]
    assert build(eos=None, min_length=5, min_new_tokens=2) == []


@pytest.mark.parametrize(("eos", "keep"), [(None, 2), ((2,), 2), ((2, 3), 3)])
def test_beams_keep_a_way_to_go_on(eos, keep):
    config = GenerationConfig(do_sample=True, num_beams=2, top_k=1)
    ends = None if eos is None else np.array(eos)
    (top_k,) = p.build_processors(config, prompt_length=1, eos=ends)
    assert top_k.top_k == keep


def test_a_class_cannot_be_given_twice():
    with pytest.raises(ValueError, match="NoRepeatNGramLogitsProcessor"):
        build(custom=[p.NoRepeatNGramLogitsProcessor(3)], no_repeat_ngram_size=2)
    names = build(custom=[p.TopKLogitsWarper(3)], do_sample=True)
    assert names == ["TopKLogitsWarper", "TopKLogitsWarper"]  # those of sampling are not compared


def test_parameters_that_miss_something():
    with pytest.warns(UserWarning, match="encoder_repetition_penalty"):
        assert build(encoder_repetition_penalty=1.5) == []
    with pytest.raises(ValueError, match="forced_decoder_ids"):
        build(forced_decoder_ids=[[1, 2]])
    with pytest.raises(ValueError, match="exponential_decay_length_penalty"):
        build(exponential_decay_length_penalty=(1, 1.5), eos=None)


@pytest.mark.parametrize(("forced", "begin"), [(None, 1), (4, 2)])
def test_begin_suppress_waits_for_a_forced_token(forced, begin):
    config = GenerationConfig(begin_suppress_tokens=[1], forced_bos_token_id=forced)
    built = p.build_processors(config, prompt_length=1, eos=None)
    assert built[-1].begin_index == begin
