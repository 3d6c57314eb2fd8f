"""Greedy search and multinomial sampling: one token a row, chosen from that row's scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.random import default_generator
from .loop import Choice, Result


class Greedy:
    """Take the most likely token of each row; the lowest id where several are.

    processors: (ids, scores) -> scores
    criteria: (ids, scores) -> (rows,) true where a row is finished
    pad: what a finished row goes on with; None to let it go on as if it were not
    """

    def __init__(self, processors: Any, criteria: Any, pad: int | None):
        self.processors, self.criteria, self.pad = processors, criteria, pad
        self.ended: np.ndarray | None = None  # (rows,)

    def pick(self, scores: np.ndarray) -> np.ndarray:
        """(rows, vocab) -> (rows,)"""
        return scores.argmax(-1)

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        scores = self.processors(ids, logits)
        tokens = self.pick(scores)
        if self.pad is not None and self.ended is not None:
            tokens = np.where(self.ended, self.pad, tokens)
        return Choice(tokens, None, scores)

    def finished(self, ids: np.ndarray, scores: np.ndarray) -> bool:
        ended = self.criteria(ids, scores)
        self.ended = ended if self.ended is None else self.ended | ended
        return bool(self.ended.all())

    def result(self, ids: np.ndarray) -> Result:
        return Result(ids)


class Sample(Greedy):
    """Draw the next token of each row with the probabilities that the processed scores give."""

    def pick(self, scores: np.ndarray) -> np.ndarray:
        return default_generator.multinomial(probabilities(scores))[:, 0]


def probabilities(scores: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows, n) to draw from. Raises ValueError for a row that leaves nothing."""
    p = softmax(scores)
    if np.isnan(p).any():
        row = int(np.isnan(p).any(-1).argmax())
        raise ValueError(
            f"row {row} leaves no token to sample: its scores are all -inf, or NaN. Loosen the "
            "processors, or pass remove_invalid_values=True"
        )
    return p


def softmax(scores: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows, n); NaN where a row is all -inf, or has a NaN"""
    with np.errstate(invalid="ignore"):
        p = scores - scores.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    return p


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows, n)"""
    with np.errstate(invalid="ignore"):
        shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
