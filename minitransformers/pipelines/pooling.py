"""One vector for a text, from the vectors of its tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _sum(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (x * mask[..., None].astype(x.dtype)).sum(axis=1)


def _count(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.maximum(mask.sum(axis=1, keepdims=True), 1).astype(x.dtype)


def _at(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return x[np.arange(len(x)), positions]


def _weighted(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Later tokens count more (SGPT, Muennighoff 2022)."""
    weights = mask * np.arange(1, mask.shape[1] + 1)
    return _sum(x, weights) / _count(x, weights)


# x: (batch, seq, hidden); mask: (batch, seq) 0 on padding -> (batch, hidden)
_POOL: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda x, mask: _sum(x, mask) / _count(x, mask),
    "cls": lambda x, mask: _at(x, mask.argmax(axis=1)),
    "max": lambda x, mask: np.where(mask[..., None] > 0, x, np.float32(-1e9)).max(axis=1),
    "last": lambda x, mask: _at(x, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)),
    "mean_sqrt_len": lambda x, mask: _sum(x, mask) / np.sqrt(_count(x, mask)),
    "weightedmean": _weighted,
}
POOLINGS = ("mean", "cls", "max", "last")


def pool(x: np.ndarray, mask: np.ndarray, how: str) -> np.ndarray:
    """x: (batch, seq, hidden); mask: (batch, seq) -> (batch, hidden)"""
    return _POOL[how](x, mask)


def unit(x: np.ndarray) -> np.ndarray:
    """Scale vectors along the last axis to length one; zero vectors stay."""
    norm = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return x / np.maximum(norm, np.float32(1e-12))
