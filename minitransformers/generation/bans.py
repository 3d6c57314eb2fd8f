"""Processors that rule tokens out, or all but some."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .logits import NEGATIVE_INFINITY, LogitsProcessor, ban, check_positive_int, token_ids
from .penalties import checked_eos


class MinLengthLogitsProcessor(LogitsProcessor):
    """No end of sequence before the text has min_length tokens, the prompt's included.

    eos_token_id: one id or several. Raises ValueError unless min_length is an integer, 0 or more.
    """

    def __init__(self, min_length: int, eos_token_id: int | Iterable[int], device: Any = None):
        check_positive_int("min_length", min_length, at_least=0)
        self.min_length, self.eos_token_id = min_length, token_ids(eos_token_id)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return ban(scores, self.eos_token_id) if input_ids.shape[1] < self.min_length else scores


class MinNewTokensLengthLogitsProcessor(LogitsProcessor):
    """No end of sequence before there are min_new_tokens tokens behind the prompt."""

    def __init__(
        self,
        prompt_length_to_skip: int,
        min_new_tokens: int,
        eos_token_id: int | Iterable[int],
        device: Any = None,
    ):
        check_positive_int("prompt_length_to_skip", prompt_length_to_skip, at_least=0)
        check_positive_int("min_new_tokens", min_new_tokens, at_least=0)
        self.prompt_length_to_skip, self.min_new_tokens = prompt_length_to_skip, min_new_tokens
        self.eos_token_id = token_ids(eos_token_id)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        new = input_ids.shape[1] - self.prompt_length_to_skip
        return ban(scores, self.eos_token_id) if new < self.min_new_tokens else scores


class SuppressTokensLogitsProcessor(LogitsProcessor):
    """Never choose some tokens."""

    def __init__(self, suppress_tokens: Iterable[int], device: Any = None):
        self.suppress_tokens = token_ids(suppress_tokens)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return ban(scores, self.suppress_tokens)


class SuppressTokensAtBeginLogitsProcessor(LogitsProcessor):
    """Do not choose some tokens when the text has begin_index tokens."""

    def __init__(self, begin_suppress_tokens: Iterable[int], begin_index: int, device: Any = None):
        self.begin_suppress_tokens = token_ids(begin_suppress_tokens)
        self.begin_index = begin_index

    def set_begin_index(self, begin_index: int) -> None:
        self.begin_index = begin_index

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        begins = input_ids.shape[1] == self.begin_index
        return ban(scores, self.begin_suppress_tokens) if begins else scores


def _only(scores: np.ndarray, ids: Any) -> np.ndarray:
    """Scores that leave no choice but `ids`, equally likely."""
    out = np.full_like(scores, NEGATIVE_INFINITY)
    out[:, ids] = 0.0
    return out


class ForcedBOSTokenLogitsProcessor(LogitsProcessor):
    """The first token behind the decoder's start token is this one."""

    def __init__(self, bos_token_id: int):
        self.bos_token_id = bos_token_id

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _only(scores, self.bos_token_id) if input_ids.shape[1] == 1 else scores


class ForcedEOSTokenLogitsProcessor(LogitsProcessor):
    """A text that gets as long as max_length ends in one of these tokens."""

    def __init__(self, max_length: int, eos_token_id: int | Iterable[int], device: Any = None):
        self.max_length, self.eos_token_id = max_length, checked_eos(eos_token_id)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        last = input_ids.shape[1] == self.max_length - 1
        return _only(scores, self.eos_token_id) if last else scores


class NoRepeatNGramLogitsProcessor(LogitsProcessor):
    """No sequence of ngram_size tokens occurs twice in a text, the prompt included.

    Raises ValueError unless ngram_size is an integer above zero.
    """

    def __init__(self, ngram_size: int):
        check_positive_int("ngram_size", ngram_size)
        self.ngram_size = ngram_size

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _without_followers(scores, input_ids, input_ids, self.ngram_size)


class EncoderNoRepeatNGramLogitsProcessor(LogitsProcessor):
    """No sequence of encoder_ngram_size tokens is taken over from the encoder's input.

    encoder_input_ids: (examples, seq) or (seq,)
    """

    def __init__(self, encoder_ngram_size: int, encoder_input_ids: np.ndarray):
        check_positive_int("encoder_ngram_size", encoder_ngram_size)
        self.ngram_size = encoder_ngram_size
        self.encoder_input_ids = np.atleast_2d(np.asarray(encoder_input_ids))

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        rows = len(scores) // len(self.encoder_input_ids)  # that each example has
        source = np.repeat(self.encoder_input_ids, rows, axis=0)
        return _without_followers(scores, input_ids, source, self.ngram_size)


def _without_followers(
    scores: np.ndarray, ids: np.ndarray, source: np.ndarray, n: int
) -> np.ndarray:
    """Ban tokens that would end an n-gram of `source`. ids: (rows, length); source: (rows, m)"""
    start, places = ids.shape[1] + 1 - n, source.shape[1] + 1 - n
    if start < 0 or places <= 0:
        return scores
    match = np.ones(
        (len(ids), places), bool
    )  # where in the source the text's last n - 1 tokens are
    for k in range(n - 1):
        match &= source[:, k : k + places] == ids[:, start + k, None]
    row, place = match.nonzero()
    if not len(row):
        return scores
    out = scores.copy()
    out[row, source[row, place + n - 1]] = NEGATIVE_INFINITY
    return out


class PrefixConstrainedLogitsProcessor(LogitsProcessor):
    """Choose only among the tokens that a function allows.

    prefix_allowed_tokens_fn: (example, ids (length,)) -> the allowed tokens
    num_beams: rows of each example
    Raises ValueError if the function allows none.
    """

    def __init__(self, prefix_allowed_tokens_fn: Callable[[int, np.ndarray], Any], num_beams: int):
        self.prefix_allowed_tokens_fn, self.num_beams = prefix_allowed_tokens_fn, num_beams

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        mask = np.full_like(scores, NEGATIVE_INFINITY)
        for row, ids in enumerate(input_ids):
            allowed = np.asarray(self.prefix_allowed_tokens_fn(row // self.num_beams, ids))
            if not allowed.size:
                raise ValueError(
                    "`prefix_allowed_tokens_fn` returned an empty list for batch ID "
                    f"{row // self.num_beams}, which no text can satisfy. It has to allow a token "
                    f"after {ids.tolist()}"
                )
            mask[row, allowed] = 0.0
        with np.errstate(invalid="ignore"):
            return scores + mask


class InfNanRemoveLogitsProcessor(LogitsProcessor):
    """Make NaN zero and infinite scores the largest finite ones."""

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.nan_to_num(scores, nan=0.0)
