"""Normalisation of the last axis."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..blocks import over_blocks
from ..primitive import primitive


def _rows(x: np.ndarray) -> np.ndarray:
    """(..., n) -> (rows, n), contiguous"""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


@functools.cache
def _equal_parts(n: int, dtype: np.dtype) -> np.ndarray:
    return np.full(n, 1 / n, dtype)


def _einsum_rows(x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return np.einsum("...j,...j->...", x, y, out=out)


# (rows, n), (rows, n) or (n,) -> (rows,), without the temporary that `(x * y).sum` makes
_row_products: Any = getattr(np, "vecdot", _einsum_rows)  # NumPy 1 has no vecdot


def _row_means(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """(rows, n) -> (rows,). BLAS sums ten times faster than add.reduce; row by row, because its
    threads are not worth waking for a whole matrix of activations."""
    return _row_products(x, _equal_parts(x.shape[1], x.dtype), out=out)


def _reciprocal_root(squares: np.ndarray, n: int, eps: float) -> np.ndarray:
    """In place: 1 / sqrt(sum / n + eps). squares: (rows,) -> (rows, 1)"""
    squares += eps * n  # sqrt(n) / sqrt(sum + n eps): a call less, of those that decoding feels
    np.sqrt(squares, out=squares)
    return np.divide(math.sqrt(n), squares, out=squares)[:, None]


@primitive
def layer_norm(x, weight, bias, *, eps):
    """Centre and scale the last axis, by the biased variance (Ba et al., 2016).

    x: (..., hidden); weight: (hidden,); bias: (hidden,) or None -> (..., hidden)
    """
    rows = _rows(x)
    n, hidden = rows.shape
    out = np.empty(rows.shape, np.result_type(rows, weight))
    mean, rstd = np.empty((2, n), rows.dtype)

    def normalise(start: int, stop: int) -> None:
        x, y, m = rows[start:stop], out[start:stop], mean[start:stop]
        _row_means(x, m)
        np.subtract(x, m[:, None], out=y)
        y *= _reciprocal_root(_row_products(y, y, out=rstd[start:stop]), hidden, eps)
        y *= weight
        if bias is not None:
            y += bias

    over_blocks(normalise, n, hidden)
    return out.reshape(x.shape), (x, mean, rstd, weight, bias is not None)


@layer_norm.defvjp
def _(saved, g):
    x, mean, rstd, weight, biased = saved
    rows, g = _rows(x), _rows(g)
    out, unit = np.empty_like(rows), np.empty_like(rows)

    def derive(start: int, stop: int) -> None:
        y, u, r = out[start:stop], unit[start:stop], rstd[start:stop, None]
        np.subtract(rows[start:stop], mean[start:stop, None], out=u)
        u *= r
        np.multiply(g[start:stop], weight, out=y)
        along, offset = _row_products(y, u), y.sum(1)
        y -= u * (along / y.shape[1])[:, None]
        y -= (offset / y.shape[1])[:, None]
        y *= r
        u *= g[start:stop]

    over_blocks(derive, *rows.shape)
    return out.reshape(x.shape), unit.sum(0), g.sum(0) if biased else None


@primitive
def rms_norm(x, weight, *, eps):
    """Scale the last axis by its root mean square (Zhang and Sennrich, 2019).

    x: (..., hidden); weight: (hidden,) -> (..., hidden)
    """
    rows = _rows(x)
    out = np.empty(rows.shape, np.result_type(rows, weight))
    rstd = np.empty(len(rows), rows.dtype)

    def normalise(start: int, stop: int) -> None:
        x, y = rows[start:stop], out[start:stop]
        squares = _row_products(x, x, out=rstd[start:stop])
        np.multiply(x, _reciprocal_root(squares, x.shape[1], eps), out=y)
        y *= weight

    over_blocks(normalise, *rows.shape)
    return out.reshape(x.shape), (x, rstd, weight)


@rms_norm.defvjp
def _(saved, g):
    x, rstd, weight = saved
    rows, g = _rows(x), _rows(g)
    out, unit = np.empty_like(rows), np.empty_like(rows)

    def derive(start: int, stop: int) -> None:
        y, u, r = out[start:stop], unit[start:stop], rstd[start:stop, None]
        np.multiply(rows[start:stop], r, out=u)
        np.multiply(g[start:stop], weight, out=y)
        y -= u * (_row_products(y, u) / y.shape[1])[:, None]
        y *= r
        u *= g[start:stop]

    over_blocks(derive, *rows.shape)
    return out.reshape(x.shape), unit.sum(0)
