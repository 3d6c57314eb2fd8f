"""Processors that shape the distribution that sampling draws from: temperature and truncations.

Each truncation keeps some of the tokens and sets the scores of the others to `filter_value`.
`min_tokens_to_keep` tokens survive whatever the parameters say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .logits import (
    NEGATIVE_INFINITY,
    LogitsProcessor,
    check_positive_float,
    check_positive_int,
    log_softmax,
    softmax,
)

_HEAD = 4096  # so many tokens usually hold the mass that top-p keeps


def nth_largest(scores: np.ndarray, n: int) -> np.ndarray:
    """(rows, vocab) -> (rows, 1), a NaN counting as largest; the least if there are fewer than n"""
    if n == 1:
        return scores.max(1, keepdims=True)
    at = max(scores.shape[1] - n, 0)
    return np.partition(scores, at, axis=1)[:, at : at + 1]


def lowest(keys: np.ndarray, n: int) -> np.ndarray:
    """Mark the n lowest of each row, the first columns among equals. -> (rows, columns) bool"""
    if n >= keys.shape[1]:
        return np.ones(keys.shape, bool)
    bound = np.partition(keys, n - 1, axis=1)[:, n - 1 : n]
    out = keys <= bound
    if out.sum() > n * len(keys):  # several equal the last that fits
        below, equal = keys < bound, keys == bound
        room = n - below.sum(1, keepdims=True)
        out = below | (equal & (equal.cumsum(1) <= room))
    return out


def _removed(scores: np.ndarray, mask: np.ndarray, filter_value: float) -> np.ndarray:
    return np.where(mask, np.float32(filter_value), scores)


def _cumulative(p: np.ndarray, before: Any = 0.0) -> np.ndarray:
    """Running sums along rows, in double precision as the reference has them."""
    return (before + p.cumsum(1, dtype=np.float64)).astype(np.float32)


class TemperatureLogitsWarper(LogitsProcessor):
    """Divide the scores by the temperature: below 1 sharpens, above 1 flattens.

    Raises ValueError unless temperature is a float above zero.
    """

    def __init__(self, temperature: float):
        advice = ", which makes the scores invalid."
        if isinstance(temperature, float) and temperature == 0.0:
            advice += " If you're looking for greedy decoding strategies, set `do_sample=False`."
        check_positive_float("temperature", temperature, advice)
        self.temperature = temperature

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # beyond float32 is as good as -inf
            return scores / np.float32(self.temperature)


class TopKLogitsWarper(LogitsProcessor):
    """Keep the top_k highest scores, and whatever equals the last of them."""

    def __init__(self, top_k: int, filter_value: float = -math.inf, min_tokens_to_keep: int = 1):
        check_positive_int("top_k", top_k)
        self.top_k = max(top_k, min_tokens_to_keep)
        self.filter_value = filter_value

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _removed(scores, scores < nth_largest(scores, self.top_k), self.filter_value)


class _Truncation(LogitsProcessor):
    """What truncations by probability share."""

    def __init__(self, filter_value: float, min_tokens_to_keep: Any):
        check_positive_int("min_tokens_to_keep", min_tokens_to_keep)
        self.filter_value = filter_value
        self.min_tokens_to_keep = min_tokens_to_keep

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        alive = (scores != NEGATIVE_INFINITY).any(0)
        if self.filter_value != -math.inf or not 0 < np.count_nonzero(alive) < len(alive) // 4:
            return _removed(scores, self.removes(scores), self.filter_value)
        # Top-k has been here: look at the few columns that it left.
        alive = np.flatnonzero(alive)
        few = scores[:, alive]
        out = np.full_like(scores, NEGATIVE_INFINITY)
        out[:, alive] = _removed(few, self.removes(few), -math.inf)
        return out

    def removes(self, scores: np.ndarray) -> np.ndarray:
        """(rows, vocab) -> (rows, vocab) bool"""
        raise NotImplementedError


class TopPLogitsWarper(_Truncation):
    """Keep the fewest most likely tokens whose probabilities add up to top_p.

    "The Curious Case of Neural Text Degeneration" (nucleus sampling), arXiv 1904.09751.
    Raises ValueError for top_p outside [0, 1].
    """

    def __init__(self, top_p: float, filter_value: float = -math.inf, min_tokens_to_keep: int = 1):
        self.top_p = float(top_p)
        if not 0 <= self.top_p <= 1:
            raise ValueError(f"`top_p` has to be a float in the [0, 1] interval, but is {top_p}")
        super().__init__(filter_value, min_tokens_to_keep)

    def removes(self, scores: np.ndarray) -> np.ndarray:
        ascending = np.sort(scores, axis=1)
        tail = self._tail(softmax(ascending))
        tail = np.minimum(tail, max(scores.shape[1] - self.min_tokens_to_keep, 0))
        bound = np.take_along_axis(ascending, tail, axis=1)  # the lowest score that stays
        mask = scores < bound
        excess = tail - np.count_nonzero(mask, axis=1, keepdims=True)
        if (excess > 0).any():  # the cut goes through equal scores: the first of them leave
            equal = scores == bound
            mask |= equal & (equal.cumsum(1) <= excess)
        return mask

    def _tail(self, p: np.ndarray) -> np.ndarray:
        """How many of the least likely may go. p: (rows, vocab) ascending -> (rows, 1)"""
        spare, head = np.float32(1 - self.top_p), max(p.shape[1] - _HEAD, 0)
        before = p[:, :head].sum(1, dtype=np.float64, keepdims=True)
        if not (before.astype(np.float32) <= spare).all():  # what stays is more than the head
            head, before = 0, 0.0
        return head + (_cumulative(p[:, head:], before) <= spare).sum(1, keepdims=True)


class MinPLogitsWarper(_Truncation):
    """Keep the tokens at least min_p times as likely as the most likely one.

    "Turning Up the Heat: Min-p Sampling", arXiv 2407.01082.
    Raises ValueError for min_p outside [0, 1].
    """

    def __init__(self, min_p: float, filter_value: float = -math.inf, min_tokens_to_keep: int = 1):
        if not 0 <= min_p <= 1:
            raise ValueError(f"`min_p` has to be a float in the [0, 1] interval, but is {min_p}")
        super().__init__(filter_value, min_tokens_to_keep)
        self.min_p = min_p

    def removes(self, scores: np.ndarray) -> np.ndarray:
        p = softmax(scores)
        mask = p < np.float32(self.min_p) * p.max(1, keepdims=True)
        if self.min_tokens_to_keep > 1:  # the most likely one stays by itself
            mask &= ~lowest(-scores, self.min_tokens_to_keep)
        return mask


def _stable_order(keys: np.ndarray) -> np.ndarray:
    """Columns by ascending key, the first among equals first. keys: (rows, n) float32, none below 0

    The bits of such floats ascend with them, so bits and column sort as one integer, which is five
    times as fast as a stable argsort.
    """
    packed = np.abs(keys).view(np.uint32).astype(np.uint64) << np.uint64(32)
    packed |= np.arange(keys.shape[1], dtype=np.uint64)
    packed.sort(axis=1)
    return (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)


class TypicalLogitsWarper(_Truncation):
    """Keep the tokens whose information is closest to the expected, up to a probability mass.

    "Locally Typical Sampling", arXiv 2202.00666. Raises ValueError for a mass outside (0, 1).
    """

    def __init__(
        self, mass: float = 0.9, filter_value: float = -math.inf, min_tokens_to_keep: int = 1
    ):
        self.mass = float(mass)
        if not 0 < self.mass < 1:
            raise ValueError(f"`typical_p` has to be a float > 0 and < 1, but is {mass}")
        super().__init__(filter_value, min_tokens_to_keep)

    def removes(self, scores: np.ndarray) -> np.ndarray:
        log_p = log_softmax(scores)
        with np.errstate(invalid="ignore"):
            information = log_p * np.exp(log_p)
        entropy = -np.nansum(information, axis=1, keepdims=True)
        surprise = np.abs(-log_p - entropy)
        order = _stable_order(surprise)
        mass = _cumulative(softmax(np.take_along_axis(scores, order, axis=1)))
        last = (mass < np.float32(self.mass)).sum(1, keepdims=True)
        last = np.minimum(last, scores.shape[1] - 1)
        bound = np.take_along_axis(surprise, np.take_along_axis(order, last, axis=1), axis=1)
        mask = surprise > bound
        np.put_along_axis(mask, order[:, : self.min_tokens_to_keep], False, axis=1)
        return mask


class EpsilonLogitsWarper(_Truncation):
    """Keep the tokens with a probability of epsilon or more.

    "Truncation Sampling as Language Model Desmoothing", arXiv 2210.15191.
    Raises ValueError for an epsilon outside (0, 1).
    """

    parameter = "epsilon_cutoff"

    def __init__(
        self, epsilon: float, filter_value: float = -math.inf, min_tokens_to_keep: int = 1
    ):
        self.epsilon = float(epsilon)
        if not 0 < self.epsilon < 1:
            raise ValueError(f"`{self.parameter}` has to be a float > 0 and < 1, but is {epsilon}")
        super().__init__(filter_value, int(min_tokens_to_keep))

    def removes(self, scores: np.ndarray) -> np.ndarray:
        mask = softmax(scores) < self.cutoff(scores)
        return mask & (scores < nth_largest(scores, self.min_tokens_to_keep))

    def cutoff(self, scores: np.ndarray) -> Any:
        """(rows, vocab) -> the least probability that stays: (rows, 1), or one for all rows"""
        return np.float32(self.epsilon)


class EtaLogitsWarper(EpsilonLogitsWarper):
    """Like epsilon, with a cutoff that falls as the entropy of the distribution rises.

    arXiv 2210.15191. Raises ValueError for an epsilon outside (0, 1), and for scores that are no
    distribution.
    """

    parameter = "eta_cutoff"

    def __init__(
        self,
        epsilon: float,
        filter_value: float = -math.inf,
        min_tokens_to_keep: int = 1,
        device: Any = None,
    ):
        super().__init__(epsilon, filter_value, min_tokens_to_keep)

    def cutoff(self, scores: np.ndarray) -> Any:
        cutoff = np.float32(math.sqrt(self.epsilon)) * np.exp(-entropy(scores, "eta_cutoff"))
        return np.minimum(np.float32(self.epsilon), cutoff)


class TopHLogitsWarper(LogitsProcessor):
    """Keep the most likely tokens while their share of the entropy is at most top_h.

    "Top-H Decoding", arXiv 2509.02510. Only the 100 most likely tokens are looked at.
    Raises ValueError for top_h outside (0, 1], and for scores that are no distribution.
    """

    top_n = 100

    def __init__(self, top_h: float, filter_value: float = -math.inf):
        if not 0 < top_h <= 1:
            raise ValueError(f"`top_h` has to be in the (0, 1] interval, but is {top_h}")
        self.top_h, self.filter_value = top_h, filter_value

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        kept = lowest(-scores, self.top_n)
        columns = np.nonzero(kept)[1].reshape(len(scores), -1)
        top = np.take_along_axis(scores, columns, axis=1)
        order = np.argsort(-top, axis=1, kind="stable")
        top, columns = (np.take_along_axis(x, order, axis=1) for x in (top, columns))
        budget = entropy(top, "top_h") * np.float32(self.top_h)
        p = softmax(top)
        with np.errstate(divide="ignore", invalid="ignore"):
            spent = _cumulative(-p * np.log(p))
        keep = spent <= budget
        keep[:, 0] = True
        np.put_along_axis(kept, columns, keep, axis=1)
        return _removed(scores, ~kept, self.filter_value)


def entropy(scores: np.ndarray, parameter: str) -> np.ndarray:
    """In nats: (rows, n) -> (rows, 1). Raises ValueError for a row that is no distribution."""
    log_p = log_softmax(scores)
    if np.isnan(log_p).any():
        row = int(np.isnan(log_p).any(1).argmax())
        raise ValueError(
            f"`{parameter}` needs scores that make a distribution, but those of row {row} are all "
            "-inf, or have a NaN or +inf. remove_invalid_values=True replaces such values"
        )
    p = np.exp(log_p)
    p *= np.maximum(log_p, np.finfo(np.float32).min)  # so that 0 * log 0 is 0
    return -p.sum(1, keepdims=True)
