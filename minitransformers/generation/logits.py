"""What every logits processor shares: the base class, the list that applies them, the softmaxes.

A processor is a pure function of (input_ids, scores). It never writes to either, and may return
`scores` itself where nothing changes. Arrays, by axes:

    input_ids: (rows, length) int64, the text so far; scores: (rows, vocab) float32 -> the same

Rows without any probability (all -inf, or a NaN among them) are no error here: they come out as the
reference leaves them, and whoever draws from them complains.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..logging import warning_once

NEGATIVE_INFINITY = np.float32(-np.inf)


class LogitsProcessor:
    """Changes the scores of the next token. Subclass it, and define `__call__`."""

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """input_ids: (rows, length) the texts so far; scores: (rows, vocab), left as they are

        -> (rows, vocab) float32
        """
        raise NotImplementedError(
            f"{type(self).__name__} is an abstract class: define __call__(input_ids, scores)"
        )


class LogitsWarper(LogitsProcessor):
    """What processors used only in sampling were once called."""

    def __init__(self) -> None:
        warning_once("`LogitsWarper` is deprecated: let your class inherit `LogitsProcessor`.")


class LogitsProcessorList(list):
    """Applies its processors one after the other."""

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray, **kwargs: Any) -> np.ndarray:
        """input_ids: (rows, length); scores: (rows, vocab) -> (rows, vocab)

        kwargs: given to the processors that take more than (input_ids, scores)
        Raises ValueError if such a processor misses an argument.
        """
        for processor in self:
            more, required = _arguments(processor.__class__)
            missing = [name for name in required if name not in kwargs]
            if missing:
                raise ValueError(
                    f"{type(processor).__name__} needs {missing} beside input_ids and scores, "
                    "which this way of decoding does not give"
                )
            scores = processor(input_ids, scores, **(kwargs if more else {}))
        return scores


@functools.cache
def _arguments(kind: Any) -> tuple[bool, tuple[str, ...]]:
    """Whether a class takes more than (input_ids, scores), and the names of what it must have."""
    more = [*inspect.signature(kind.__call__).parameters.values()][3:]
    named = [one for one in more if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return bool(more), tuple(one.name for one in named if one.default is one.empty)


def softmax(scores: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows, n); NaN throughout where a row is all -inf or has a NaN or +inf"""
    with np.errstate(invalid="ignore"):
        p = scores - scores.max(-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(-1, keepdims=True)
    return p


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows, n); NaN where `softmax` is"""
    with np.errstate(invalid="ignore"):
        shifted = scores - scores.max(-1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(-1, keepdims=True))
    return shifted


def token_ids(ids: int | Iterable[int]) -> np.ndarray:
    """One id, or several in whatever holds them -> (n,) int64"""
    array = np.atleast_1d(np.asarray(ids if isinstance(ids, (int, np.ndarray)) else list(ids)))
    return array.astype(np.int64, copy=False) if array.size else np.zeros(0, np.int64)


def ban(scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A copy of the scores with some columns -inf. Ids outside the vocabulary are passed over."""
    out = scores.copy()
    out[:, ids[(ids >= 0) & (ids < scores.shape[1])]] = NEGATIVE_INFINITY
    return out


def check_positive_int(name: str, value: Any, at_least: int = 1) -> None:
    """Raise ValueError unless it is a whole number, large enough."""
    if isinstance(value, (int, np.integer)) and value >= at_least:
        return
    kind = "strictly positive" if at_least else "non-negative"
    raise ValueError(f"`{name}` has to be a {kind} integer, but is {value!r}")


def check_positive_float(name: str, value: Any, advice: str = "") -> None:
    """Raise ValueError unless it is a float above zero."""
    if not isinstance(value, (float, np.floating)) or not value > 0:
        raise ValueError(f"`{name}` has to be a strictly positive float, but is {value!r}{advice}")


def check_classes(built: Iterable[Any], custom: Iterable[Any], what: str) -> None:
    """Raise ValueError if the caller's own list repeats a class that the parameters ask for."""
    kinds = {type(one) for one in built}
    for one in custom:
        if type(one) in kinds:
            raise ValueError(
                f"A custom {what} of type {type(one).__name__} has been passed to `.generate()`, "
                "but the parameters of the generation ask for one as well. Change it by passing "
                "these parameters, or do without them"
            )
