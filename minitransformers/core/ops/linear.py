"""Matrix products: with a weight, in the two ways checkpoints store one, and of activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..packed import Packed
from ..primitive import primitive
from ..threads import rest, spread_range

# Measured, 768 x 3072 from memory, in us. One row is multiplied in place, in 340. For more BLAS
# copies the weight into another order first, and its kernel is made for eight rows: two to seven
# take 750 to 1,100, eight 560 to 770. So they are filled up to eight; two rows one after the other,
# over tiles that are still in the cache, take 570.
_TILE = 64  # rows of the weight; 200 kB at a width of 768
_LARGE = 1 << 19  # weights from which a product pays for being shared out
_KERNEL = 8
# From nine to 40 rows BLAS's threads wait for each other more often than they need to: two products
# of half the weight each, one a thread, take 1,500 us where its two threads take 2,100 (32 rows).
_APART = 40


def _rows(x: np.ndarray) -> np.ndarray:
    """(..., n) -> (rows, n). One product for the whole batch: `matmul` on three axes would do one
    per batch entry, and a decoding step is a batch of single rows."""
    return x.reshape(-1, x.shape[-1])


def _few_rows(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x @ weight.T, row by row over each tile of the weight. x: (few, in); weight: (out, in)"""
    out = np.empty((len(x), len(weight)), x.dtype)
    tiles = len(weight) // _TILE
    tiled = weight[: tiles * _TILE].reshape(tiles, 1, _TILE, -1)
    # (tiles, rows, tile, 1): the order in which matmul does its products
    products = out[:, : tiles * _TILE].reshape(len(x), tiles, _TILE).swapaxes(0, 1)[..., None]

    def some(start: int, stop: int) -> None:
        np.matmul(tiled[start:stop], x[:, :, None], out=products[start:stop])

    spread_range(some, tiles)
    left = weight[tiles * _TILE :]
    if len(left):
        np.matmul(x, left.T, out=out[:, tiles * _TILE :])
    return out


def _apart(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x @ weight, each thread making some of the columns. x: (rows, in); weight: (in, out)"""
    n = weight.shape[1]
    out = np.empty((len(x), n), np.result_type(x, weight))

    def some(start: int, stop: int) -> None:
        np.matmul(x, weight[:, start:stop], out=out[:, start:stop])

    spread_range(some, n, more_follows=True)
    return out


def _times(x: np.ndarray, weight: np.ndarray | Packed) -> np.ndarray:
    """x @ weight. x: (rows, in); weight: (in, out) -> (rows, out)"""
    if isinstance(weight, Packed):
        return weight.product(x)
    rows = len(x)
    if _KERNEL < rows <= _APART and weight.size >= _LARGE:
        return _apart(x, weight)
    rest()
    if rows in (1, _KERNEL) or rows > _APART or weight.size < _LARGE:
        return x @ weight
    filled = np.zeros((_KERNEL, x.shape[1]), x.dtype)
    filled[:rows] = x
    return (filled @ weight)[:rows]


def _times_transpose(x: np.ndarray, weight: np.ndarray | Packed) -> np.ndarray:
    """x @ weight.T. x: (rows, in); weight: (out, in) -> (rows, out)"""
    if isinstance(weight, Packed):
        return weight.product(x, turned=True)
    if len(x) == 2 and weight.size >= _LARGE:
        return _few_rows(x, np.ascontiguousarray(weight))
    return _times(x, weight.T)


def _gradient_of_weight(weight: np.ndarray | Packed, x: np.ndarray, y: np.ndarray) -> Any:
    """x^T y, unless it is a weight of integers, which is not trained"""
    return _rows(x).T @ _rows(y) if getattr(weight, "trainable", True) else None


@primitive
def linear(x, weight, bias=None):
    """Multiply by a weight stored as torch's Linear stores it.

    x: (..., in); weight: (out, in); bias: (out,) or None -> (..., out)
    """
    out = _times_transpose(_rows(x), weight)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], weight.shape[0]), (x, weight, bias is not None)


@linear.defvjp
def _(saved, g, needs=(True, True)):
    x, weight, biased = saved
    rows = _rows(g)
    return (
        (rows @ weight).reshape(x.shape) if needs[0] else None,
        _gradient_of_weight(weight, rows, x) if needs[1] else None,  # not of frozen weights
        rows.sum(0) if biased else None,
    )


@primitive
def conv1d(x, weight, bias=None):
    """Multiply by a weight stored transposed, as GPT-2's checkpoints store it.

    x: (..., in); weight: (in, out); bias: (out,) or None -> (..., out)
    """
    out = _times(_rows(x), weight)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], weight.shape[1]), (x, weight, bias is not None)


@conv1d.defvjp
def _(saved, g, needs=(True, True)):
    x, weight, biased = saved
    rows = _rows(g)
    return (
        _times_transpose(rows, weight).reshape(x.shape) if needs[0] else None,
        _gradient_of_weight(weight, x, rows) if needs[1] else None,
        rows.sum(0) if biased else None,
    )


@primitive
def einsum(x, y, *, subscripts):
    """Multiply and sum over the axes that the result lacks, as np.einsum.

    subscripts: such as "bhqd,hkd->bhqk"; each axis of a factor is in the other or in the result
    """
    return np.einsum(subscripts, x, y, optimize=True), (x, y, subscripts)


@einsum.defvjp
def _(saved, g):
    x, y, subscripts = saved
    factors, result = subscripts.split("->")
    first, second = factors.split(",")
    return (
        np.einsum(f"{result},{second}->{first}", g, y, optimize=True),
        np.einsum(f"{result},{first}->{second}", g, x, optimize=True),
    )
