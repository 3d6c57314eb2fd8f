"""Normalisation of the last axis."""

from __future__ import annotations

import numpy as np

from ..blocks import over_blocks
from ..primitive import primitive


def _rows(x: np.ndarray) -> np.ndarray:
    """(..., n) -> (rows, n), contiguous"""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _reciprocal_root(mean_square: np.ndarray, eps: float) -> None:
    """In place: 1 / sqrt(x + eps)"""
    mean_square += eps
    np.sqrt(mean_square, out=mean_square)
    np.reciprocal(mean_square, out=mean_square)


def _mean_product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(rows, n) twice -> (rows,), without the temporary that `(x * y).mean` makes"""
    out = np.einsum("ij,ij->i", x, y)
    out /= x.shape[1]
    return out


@primitive
def layer_norm(x, weight, bias, *, eps):
    """Centre and scale the last axis, by the biased variance (Ba et al., 2016).

    x: (..., hidden); weight: (hidden,); bias: (hidden,) or None -> (..., hidden)
    """
    rows = _rows(x)
    n, hidden = rows.shape
    out = np.empty(rows.shape, np.result_type(rows, weight))
    mean, rstd = np.empty((2, n), rows.dtype)
    ones = np.ones(hidden, rows.dtype)

    def normalise(start: int, stop: int) -> None:
        y, m, r = out[start:stop], mean[start:stop], rstd[start:stop]
        np.dot(rows[start:stop], ones, out=m)  # BLAS sums ten times faster than add.reduce
        m /= hidden
        np.subtract(rows[start:stop], m[:, None], out=y)
        r[...] = _mean_product(y, y)
        _reciprocal_root(r, eps)
        y *= r[:, None]
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
        along, offset = _mean_product(y, u), y.mean(1)
        y -= u * along[:, None]
        y -= offset[:, None]
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
        y, r = out[start:stop], rstd[start:stop]
        r[...] = _mean_product(rows[start:stop], rows[start:stop])
        _reciprocal_root(r, eps)
        np.multiply(rows[start:stop], r[:, None], out=y)
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
        y -= u * _mean_product(y, u)[:, None]
        y *= r
        u *= g[start:stop]

    over_blocks(derive, *rows.shape)
    return out.reshape(x.shape), unit.sum(0)
