"""Stopping criteria: against the reference's answers, and what they promise besides."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from golden.stopping_cases import Tokenizer
from tiny import CONFIGS, fill
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from minitransformers import GPT2Config, GPT2LMHeadModel
from minitransformers.generation import stopping
from minitransformers.generation.config import GenerationConfig

CASES = json.loads((Path(__file__).parents[1] / "golden" / "stopping.json").read_text())
LETTERS = list("abcdefstop ")


@pytest.mark.parametrize("case", CASES["stop_strings"])
def test_stop_strings_golden(case):
    words, strings, ids = case["given"]
    if isinstance(case["expected"], dict):
        with pytest.raises(ValueError, match="stop strings"):
            stopping.StopStringCriteria(Tokenizer(words), strings)
        return
    criterion = stopping.StopStringCriteria(Tokenizer(words), strings)
    assert criterion(np.array(ids), None).tolist() == case["expected"]


@pytest.mark.parametrize(
    ("words", "stops"),
    [
        (["st", "op"], True),
        (["stop"], True),
        (["st", "opera"], True),
        (["sto", "pper"], True),
        (["las", "topper"], True),
        (["s", "to", "pped"], True),
        (["stop", "at"], False),
        (["st", "op", "at"], False),
        (["st", "opera", "tion"], False),
        (["x", "op"], False),
    ],
)
def test_the_string_has_to_end_in_the_last_token(words, stops):
    tokenizer = Tokenizer(LETTERS + words)
    ids = np.arange(len(LETTERS), len(LETTERS) + len(words))[None]
    criterion = stopping.StopStringCriteria(tokenizer, "stop")
    assert criterion(ids, None).tolist() == [stops]


def test_ids_that_the_tokenizer_lacks_have_no_text():
    tokenizer = Tokenizer(LETTERS)
    tokenizer.convert_ids_to_tokens = lambda ids: (
        [LETTERS[i] for i in ids] if isinstance(ids, list) else dict(enumerate(LETTERS)).get(ids)
    )
    assert stopping.StopStringCriteria(tokenizer, "p")(np.array([[900], [9]]), None).tolist() == [
        False,
        True,
    ]


def test_spaces_of_byte_level_tokens_count():
    from minitransformers import PreTrainedTokenizerFast

    vocab = {c: i for i, c in enumerate("abcdefstop")} | {"Ġstop": 10, "ping": 11}
    backend = Backend(models.WordLevel(vocab, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    criterion = stopping.StopStringCriteria(tokenizer, [" stop"])
    ids = np.array([[0, 10], [10, 11], [6, 7], [11, 10]])
    assert criterion(ids, None).tolist() == [True, False, False, True]


def test_length_and_time():
    ids = np.zeros((3, 5), np.int64)
    assert stopping.MaxLengthCriteria(5)(ids, None).tolist() == [True] * 3
    assert stopping.MaxLengthCriteria(6)(ids, None).tolist() == [False] * 3
    assert stopping.MaxTimeCriteria(60.0)(ids, None).tolist() == [False] * 3
    late = stopping.MaxTimeCriteria(60.0, initial_timestamp=time.time() - 61)
    assert late(ids, None).tolist() == [True] * 3


def test_a_text_longer_than_the_model_is_warned_of_once(caplog):
    criterion = stopping.MaxLengthCriteria(9, max_position_embeddings=4)
    for length in (3, 4, 5):
        criterion(np.zeros((1, length), np.int64), None)
    assert caplog.text.count("maximum length (4)") == 1


@pytest.mark.parametrize("eos", [3, [3, 4], np.array([4, 3]), (3,)])
def test_ends_of_sequence(eos):
    ids = np.array([[3, 1], [1, 3], [0, 0]])
    assert stopping.EosTokenCriteria(eos)(ids, None).tolist() == [False, True, False]


def test_confidence_of_an_assistant():
    scores = np.log(np.array([[0.7, 0.2, 0.1]], np.float32))
    criterion = stopping.ConfidenceCriteria(0.4)
    for given in (scores, (None, scores)):
        assert criterion(np.array([[2, 0]]), given) is False
        assert criterion(np.array([[2, 1]]), given) is True


class Third(stopping.StoppingCriteria):
    def __call__(self, input_ids, scores, **kwargs):
        return input_ids.shape[1] >= 3


def test_a_list_is_done_where_any_is():
    both = stopping.StoppingCriteriaList([stopping.EosTokenCriteria(1), Third()])
    assert both(np.array([[0, 1], [0, 0]]), None).tolist() == [True, False]
    assert both(np.array([[0, 1, 2], [0, 0, 0]]), None).tolist() == [True, True]
    assert both.max_length is None
    assert stopping.StoppingCriteriaList([stopping.MaxLengthCriteria(7)]).max_length == 7


def test_criteria_of_a_configuration():
    config = GenerationConfig(max_length=8, max_time=1.5, stop_strings="p", is_assistant=True)
    built = stopping.build_criteria(
        config, eos=np.array([1]), custom=[Third()], tokenizer=Tokenizer(LETTERS)
    )
    assert [type(x).__name__ for x in built] == [
        "MaxLengthCriteria",
        "MaxTimeCriteria",
        "StopStringCriteria",
        "EosTokenCriteria",
        "ConfidenceCriteria",
        "Third",
    ]
    assert len(stopping.build_criteria(GenerationConfig(), eos=None)) == 1


def test_criteria_that_cannot_be():
    with pytest.raises(ValueError, match="tokenizer"):
        stopping.build_criteria(GenerationConfig(stop_strings="p"), eos=None)
    with pytest.raises(ValueError, match="MaxLengthCriteria"):
        stopping.build_criteria(
            GenerationConfig(), eos=None, custom=[stopping.MaxLengthCriteria(3)]
        )
    with pytest.raises(NotImplementedError):
        stopping.StoppingCriteria()(np.zeros((1, 1)), None)


def tiny_gpt2():
    return fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"])))


class Recorder(stopping.StoppingCriteria):
    def __init__(self):
        self.told = []

    def __call__(self, input_ids, scores, **kwargs):
        self.told.append(scores)
        return False


MODES = ({}, {"num_beams": 2}, {"penalty_alpha": 0.6, "top_k": 3}, {"prompt_lookup_num_tokens": 3})


@pytest.mark.parametrize("mode", MODES)
def test_criteria_are_told_all_scores_that_are_kept(mode):
    model, criterion = tiny_gpt2(), Recorder()
    ids = np.array([[5, 6, 7, 5, 6]])
    kept = {"return_dict_in_generate": True, "output_scores": True}
    options = {"max_new_tokens": 4, "stopping_criteria": [criterion], **mode}
    out = model.generate(ids, **kept, **options)
    told = [scores for scores in criterion.told if scores is not None]  # None: of a draft
    np.testing.assert_array_equal(told[-1], out.scores)
    assert len(told[0]) < len(told[-1]) == 4

    model.generate(ids, **options)
    assert criterion.told[-1].shape == out.scores[-1].shape  # of the last token only


def test_criteria_are_not_asked_about_an_assistants_drafts():
    model, criterion = tiny_gpt2(), Recorder()
    ids = np.array([[5, 6, 7, 5, 6]])
    model.generate(
        ids, max_new_tokens=4, assistant_model=tiny_gpt2(), stopping_criteria=[criterion]
    )
    # in turn a whole draft, and what came of it
    assert {scores is None for scores in criterion.told[::2]} == {True}
    assert {scores is None for scores in criterion.told[1::2]} == {False}
