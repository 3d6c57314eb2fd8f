"""SynthID Text: watermarks that a tournament between likely tokens leaves.

"Scalable watermarking for identifying large language model outputs",
https://www.nature.com/articles/s41586-024-08025-4
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..core.random import Generator
from .logits import LogitsProcessor, softmax
from .watermarking import BaseWatermarkingConfig

_MULTIPLIER, _INCREMENT = np.int64(6364136223846793005), np.int64(1)  # of musl's generator


@dataclasses.dataclass(repr=False)
class SynthIDTextWatermarkingConfig(BaseWatermarkingConfig):
    """How to mark a text by tournaments.

    ngram_len: tokens that are hashed together, the marked one included
    keys: the secret, one number a layer of the tournament
    context_history_size: a context among this many last ones is not marked again
    skip_first_ngram_calls: do not mark the first ngram_len - 1 tokens
    debug_mode: take the scores for equal
    """

    ngram_len: int
    keys: list[int]
    context_history_size: int = 1024
    sampling_table_seed: int = 0
    sampling_table_size: int = 2**16
    skip_first_ngram_calls: bool = False
    debug_mode: bool = False

    def validate(self) -> None:
        if self.sampling_table_size > 2**24:
            raise ValueError(
                "`sampling_table_size` of `watermarking_config` should be at most 2**24, but is "
                f"{self.sampling_table_size}"
            )

    def construct_processor(
        self, vocab_size: int, device: Any = None
    ) -> SynthIDTextWatermarkLogitsProcessor:
        return SynthIDTextWatermarkLogitsProcessor(**self.to_dict(), device=device)


def accumulate_hash(current: Any, data: np.ndarray) -> np.ndarray:
    """Hash data into a hash, wrapping around in 64 bits.

    current: (...) int64; data: (..., n) int64 -> (...)
    """
    for i in range(data.shape[-1]):
        current = (current + data[..., i]) * _MULTIPLIER + _INCREMENT
    return current


class SynthIDTextWatermarkLogitsProcessor(LogitsProcessor):
    """Mark each token by the tokens before it. See `SynthIDTextWatermarkingConfig`.

    Unlike other processors it remembers the contexts it has marked: make one for each text.
    """

    def __init__(
        self,
        ngram_len: int,
        keys: list[int],
        sampling_table_size: int,
        sampling_table_seed: int,
        context_history_size: int,
        device: Any = None,
        skip_first_ngram_calls: bool = False,
        debug_mode: bool = False,
    ):
        self.ngram_len, self.keys = ngram_len, np.array(keys, np.int64)
        table = Generator(sampling_table_seed).randint(2, (sampling_table_size,))
        self.sampling_table = table.astype(np.int8)
        self.context_history_size = context_history_size
        self.skip_first_ngram_calls, self.debug_mode = skip_first_ngram_calls, debug_mode
        self._calls = 0
        self._context: np.ndarray | None = None  # (rows, ngram_len - 1) zeros, then what was chosen
        self._history: np.ndarray | None = None  # (rows, context_history_size) hashes, newest first

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        if self.debug_mode:
            scores = np.ones_like(scores)
        rows = len(scores)
        if self._context is None or self._history is None:
            self._context = np.zeros((rows, self.ngram_len - 1), np.int64)
            self._history = np.zeros((rows, self.context_history_size), np.int64)
        else:
            self._context = np.hstack([self._context, input_ids[:, -1:]])[:, 1:]
        self._calls += 1
        if self.skip_first_ngram_calls and self._calls < self.ngram_len:
            return scores
        hashes = accumulate_hash(np.ones(rows, np.int64), self._context)[:, None]
        seen = (self._history == hashes).any(1, keepdims=True)
        self._history = np.hstack([hashes, self._history])[:, :-1]
        return np.where(seen, scores, self._tournament(scores, hashes))

    def _tournament(self, scores: np.ndarray, hashes: np.ndarray) -> np.ndarray:
        """Scores after every layer. scores: (rows, vocab); hashes: (rows, 1) of the contexts"""
        tokens = np.arange(scores.shape[1])[:, None]
        ngrams = accumulate_hash(hashes, tokens)
        p = softmax(scores)
        for key in self.keys:
            g = self.sample_g_values(accumulate_hash(ngrams, key[None])).astype(np.float32)
            p *= 1 + g - (g * p).sum(1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_p = np.log(p)
        return np.where(np.isfinite(log_p), log_p, np.finfo(np.float32).min)

    def sample_g_values(self, ngram_keys: np.ndarray) -> np.ndarray:
        """Which sides tokens are on. ngram_keys: (...) hashes -> (...) 0 or 1"""
        return self.sampling_table[ngram_keys % len(self.sampling_table)].astype(np.int64)

    def compute_ngram_keys(self, ngrams: np.ndarray) -> np.ndarray:
        """(batch, n, ngram_len) -> (batch, n, layers) hashes

        Raises ValueError for other shapes.
        """
        if ngrams.ndim != 3 or ngrams.shape[2] != self.ngram_len:
            raise ValueError(
                f"`ngrams` should be of shape (batch, n, {self.ngram_len}), but is {ngrams.shape}"
            )
        hashes = accumulate_hash(np.ones((), np.int64), ngrams)
        return accumulate_hash(hashes[..., None], self.keys[:, None])

    def compute_g_values(self, input_ids: np.ndarray) -> np.ndarray:
        """Of a text: (batch, length) -> (batch, length - ngram_len + 1, layers) 0 or 1"""
        grams = np.lib.stride_tricks.sliding_window_view(_two_axes(input_ids), self.ngram_len, 1)
        return self.sample_g_values(self.compute_ngram_keys(grams))

    def compute_context_repetition_mask(self, input_ids: np.ndarray) -> np.ndarray:
        """Where a text's contexts are new: (batch, length) -> (batch, length - ngram_len + 1)"""
        before = _two_axes(input_ids)[:, :-1]
        contexts = np.lib.stride_tricks.sliding_window_view(before, self.ngram_len - 1, 1)
        hashes = accumulate_hash(np.ones((), np.int64), contexts)
        history = np.zeros((len(hashes), self.context_history_size), np.int64)
        line = np.hstack([history, hashes])
        back = np.lib.stride_tricks.sliding_window_view(line, self.context_history_size, 1)[:, :-1]
        return ~(back == hashes[..., None]).any(-1)

    def compute_eos_token_mask(self, input_ids: np.ndarray, eos_token_id: int) -> np.ndarray:
        """What comes before the first end of sequence: (batch, length) -> (batch, length) bool"""
        ended = np.logical_or.accumulate(_two_axes(input_ids) == eos_token_id, axis=1)
        return ~ended

    def expected_mean_g_value(self, vocab_size: int, coinflip_prob: float = 0.5) -> float:
        """The mean of marked texts in theory, for one layer and equally likely tokens."""
        return coinflip_prob + coinflip_prob * (1 - coinflip_prob) * (1 - 1 / vocab_size)


def _two_axes(ids: np.ndarray) -> np.ndarray:
    ids = np.asarray(ids)
    if ids.ndim != 2:
        raise ValueError(f"`input_ids` should be of shape (batch, length), but is {ids.shape}")
    return ids
