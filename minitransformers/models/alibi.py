"""ALiBi: scores that grow with a key's position, at a slope of each head's (Press et al., 2021)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def slopes(heads: int, steepest: float = 8.0) -> np.ndarray:
    """2 ** (-steepest i / n) of a power of two n, and of 2 n where heads is none. -> (heads,)"""
    n = 2 ** math.floor(math.log2(heads))
    exponents = [i / n for i in range(1, n + 1)]
    exponents += [(2 * i + 1) / (2 * n) for i in range(heads - n)]
    return np.power(np.float32(2), -np.float32(steepest) * np.array(exponents, np.float32))


def key_positions(total: int, attention_mask: Any) -> np.ndarray:
    """Positions that do not count padding. -> (1 or batch, total) float32"""
    if attention_mask is None or attention_mask.ndim != 2:
        return np.arange(total, dtype=np.float32)[None]
    return ((attention_mask.cumsum(-1) - 1) * attention_mask).astype(np.float32)


def bias(slopes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """slopes: (heads,); positions: (batch, total) -> (batch, heads, 1, total)"""
    return slopes[:, None, None] * positions[:, None, None]
